"""What a pod spec must be, rule by rule: field, reason and words are upstream's."""

from typing import Any

import pytest

from server.registry.groups.core.pod_defaults import default_pod
from server.registry.groups.core.pod_status_validation import status_causes
from server.registry.groups.core.pod_validation import pod_causes, template_causes
from server.registry.groups.core.pod_warnings import pod_warnings, template_warnings


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    spec.setdefault("containers", [{"name": "c", "image": "i", **(container or {})}])
    obj = {"metadata": {"name": "p"}, "spec": spec}
    default_pod(obj["spec"])
    return obj


def problems(container: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in pod_causes(pod(container, **spec))]


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


def test_a_plain_pod_is_right() -> None:
    assert problems() == []


ON_CONTAINER = "spec.containers[0]"
EXPRESSION = {"key": "a", "operator": "In", "values": ["b"]}
TERM = {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "zone"}
CLAIM = {"resources": {"requests": {"storage": "1Gi"}}}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (
            {"resources": {"limits": {"example.com/gpu": "1.5"}}},
            [
                f'resources.{which}[example.com/gpu]: Invalid value: "1.5": must be an integer'
                for which in ("limits", "requests")
            ],
        ),
        (
            {"resources": {"limits": {"disk": "1"}, "requests": {"cpu": "1"}}},
            [
                f'resources.{which}[disk]: Invalid value: "disk": must be a standard resource {more}'
                for which in ("limits", "requests")
                for more in ("type or fully qualified", "for containers")
            ],
        ),
        (
            {"resources": {"limits": {"cpu": "-1"}, "requests": {"cpu": "-2"}}},
            [
                'resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
                'resources.requests[cpu]: Invalid value: "-2": must be greater than or equal to 0',
            ],
        ),
        (
            {"resources": {"claims": [{"name": "x"}]}},
            [
                'resources.claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims'
                " which"
                " is empty"
            ],
        ),
        (
            {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
            [
                'securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}:'
                " cannot set"
                " `allowPrivilegeEscalation` to false and `privileged` to true"
            ],
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
            [
                "securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp"
                " type is Localhost"
            ],
        ),
        (
            {"securityContext": {"procMount": "Unmasked"}},
            [
                'securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use'
                " `Unmasked`"
            ],
        ),
        (
            {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
            [
                "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than"
                " terminationGracePeriodSeconds (30)"
            ],
        ),
        (
            {"lifecycle": {"stopSignal": "SIGUSR1"}},
            ["lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"],
        ),
        (
            {"readinessProbe": {"exec": {"command": ["x"]}, "terminationGracePeriodSeconds": 1}},
            [
                "readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for"
                " readinessProbes"
            ],
        ),
        (
            {"livenessProbe": {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}, "successThreshold": 2}},
            [
                "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
                "livenessProbe.successThreshold: Invalid value: 2: must be 1",
            ],
        ),
        (
            {"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]},
            ['resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"'],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.foo"}}}]},
            [
                'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting'
                " fieldPath: field"
                " label not supported: spec.foo"
            ],
        ),
        (
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}},
                    }
                ]
            },
            [
                'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s'
                " values 1m"
                " and 1 are supported with the cpu resource"
            ],
        ),
        ({"envFrom": [{"secretRef": {}}]}, ["envFrom[0].secretRef.name: Required value"]),
        (
            {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
            ["restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
        ),
    ],
)
def test_containers(container: dict[str, Any], expected: list[str]) -> None:
    assert problems(container) == [f"{ON_CONTAINER}.{each}" for each in expected]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            volume(nfs={"server": "s", "path": "x"}),
            'volumes[0].nfs.path: Invalid value: "x": must be an absolute path',
        ),
        (
            volume(emptyDir={}, hostPath={"path": "/x"}),
            "volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (
            volume(hostPath={"path": "/a/../b"}),
            "volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
        ),
        (volume(iscsi={"targetPortal": "t"}), "volumes[0].iscsi.iqn: Required value"),
        (
            volume(fc={"targetWWNs": ["w"]}),
            "volumes[0].fc.lun: Required value: lun is required if targetWWNs is specified",
        ),
        (volume(rbd={"monitors": ["m"]}), "volumes[0].rbd.image: Required value"),
        (
            volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM}}),
            "volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access"
            " mode"
            " is required",
        ),
        (volume(image={}), "volumes[0].image.reference: Required value"),
        (
            volume(projected={"sources": [{"clusterTrustBundle": {"path": "x"}}]}),
            "volumes[0].projected.sources[0].clusterTrustBundle: Required value: either name or signerName"
            " must"
            " be specified",
        ),
        (
            volume(
                projected={
                    "sources": [{"configMap": {"name": "m", "items": [{"key": "k", "path": "x"}] * 2}}]
                }
            ),
            'volumes[0].projected: Invalid value: "m": conflicting duplicate paths',
        ),
        (
            {"dnsPolicy": "None"},
            "dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
        ),
        (
            {"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}},
            'dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not'
            " have more"
            " than 3 nameservers",
        ),
        (
            {"securityContext": {"sysctls": [{"name": "net.core.somaxconn"}]}, "hostNetwork": True},
            'securityContext.sysctls[0].name: Invalid value: "net.core.somaxconn": may not be specified when'
            " 'hostNetwork' is true",
        ),
        (
            {"securityContext": {"runAsUser": -1}},
            "securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        ),
        (
            {"os": {"name": "windows"}, "hostPID": True},
            "hostPID: Forbidden: cannot be set for a windows pod",
        ),
        ({"os": {"name": "plan9"}}, 'os: Unsupported value: "plan9": supported values: "linux", "windows"'),
        (
            {"topologySpreadConstraints": [{**SPREAD, "maxSkew": 0}]},
            "topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        ),
        (
            {"topologySpreadConstraints": [SPREAD, SPREAD]},
            "topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value:"
            ' "{zone, DoNotSchedule}"',
        ),
        (
            {
                "affinity": {
                    "podAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 101, "podAffinityTerm": TERM}
                        ]
                    }
                }
            },
            "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid"
            " value: 101:"
            " must be in the range 1-100",
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchFields": [EXPRESSION]}]
                        }
                    }
                }
            },
            "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
            '.matchFields[0].key: Invalid value: "a": not a valid field selector key',
        ),
        (
            {"schedulingGates": [{"name": "g"}, {"name": "g"}]},
            'schedulingGates[1]: Duplicate value: "g"',
        ),
        (
            {"resourceClaims": [{"name": "x"}]},
            'resourceClaims[0]: Invalid value: {"name":"x"}: must specify one of: `resourceClaimName`,'
            " `resourceClaimTemplateName`",
        ),
        (
            {"tolerations": [{"operator": "Exists", "value": "x"}]},
            "tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
        ),
        (
            {"hostUsers": False, "hostNetwork": True},
            "hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false",
        ),
        (
            {"initContainers": [{"name": "c", "image": "i"}]},
            'initContainers[0].name: Duplicate value: "c"',
        ),
        (
            {"initContainers": [{"name": "d", "image": "i", "readinessProbe": {"exec": {"command": ["x"]}}}]},
            "initContainers[0].readinessProbe: Forbidden: may not be set for init containers without"
            " restartPolicy=Always",
        ),
        (
            {"ephemeralContainers": [{"name": "d", "image": "i", "ports": [{"containerPort": 1}]}]},
            "ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
        ),
        (
            {
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
                "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}],
            },
            'resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate'
            " container"
            " requests of 2",
        ),
    ],
)
def test_specs(spec: dict[str, Any], expected: str) -> None:
    assert problems(**spec) == [f"spec.{expected}"]


def test_host_ports_follow_the_node_s_network() -> None:
    spec = pod({"ports": [{"containerPort": 80}]}, hostNetwork=True)["spec"]
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    assert problems({"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True) == [
        "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when"
        " `hostNetwork` is true"
    ]


def test_fields_of_features_that_are_off_are_forgotten() -> None:
    spec = pod(schedulingGroup={"podGroupName": "g"}, **volume(emptyDir={"mode": 1}))["spec"]
    assert "schedulingGroup" not in spec
    assert spec["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_a_limited_pod_asks_for_what_its_containers_ask_for() -> None:
    spec = pod(
        {"resources": {"requests": {"cpu": "100m"}}}, resources={"limits": {"cpu": "1", "memory": "1Gi"}}
    )
    assert spec["spec"]["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}


def test_templates_hold_no_debugging_containers() -> None:
    template = {"metadata": {"labels": {"a": "b c"}}, "spec": pod()["spec"] | {"ephemeralContainers": []}}
    assert [cause.field for cause in template_causes("spec.template", template)] == ["spec.template.labels"]


def test_what_is_strange_is_told() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    ports = [{"containerPort": 80}, {"containerPort": 80, "name": "web"}]
    obj = pod(
        {"env": env, "ports": ports, "resources": {"limits": {"memory": "1500m"}}},
        nodeSelector={"beta.kubernetes.io/os": "linux"},
        imagePullSecrets=[{"name": "s"}, {"name": "s"}, {}],
        terminationGracePeriodSeconds=-1,
        topologySpreadConstraints=[SPREAD],
        **volume(gitRepo={"repository": "r"}),
    )
    assert pod_warnings(obj) == [
        'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
        "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
        'spec.imagePullSecrets[1].name: duplicate name "s"',
        'spec.imagePullSecrets[2].name: invalid empty name ""',
        'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an'
        " integer",
        'spec.containers[0].resources.requests[memory]: fractional byte value "1500m" is invalid, must be'
        " an integer",
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
        "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated"
        " as 1",
    ]
    found = template_warnings("spec.template", {"spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}})
    assert found[0].startswith("spec.template.spec.nodeSelector[beta.kubernetes.io/os]: ")


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (
            {"containerStatuses": [{"name": "c", "state": {"running": {}}}]},
            "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state",
        ),
        (
            {"podIPs": [{"ip": "x"}]},
            'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or'
            " 2001:db8::ffff)",
        ),
        (
            {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
            'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than'
            " one IP"
            " for each IP family",
        ),
        (
            {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}]},
            'status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`',
        ),
        ({"qosClass": "Guaranteed"}, 'status.qosClass: Invalid value: "Guaranteed": field is immutable'),
    ],
)
def test_statuses(new: dict[str, Any], expected: str) -> None:
    old = pod(restartPolicy="Never")
    ended = {"name": "c", "state": {"terminated": {"exitCode": 0}}}
    old["status"] = {"qosClass": "BestEffort", "containerStatuses": [ended]}
    obj = {**old, "status": {**old["status"], **new}}
    found = status_causes(obj, old)
    assert [f"{cause.field}: {cause.message}" for cause in found] == [expected]


def test_what_has_ended_may_start_anew_with_all_others() -> None:
    rule = {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}
    old = pod(restartPolicy="Never", initContainers=[{"name": "i", "image": "i"}])
    ended = {"name": "i", "state": {"terminated": {"exitCode": 0}}}
    old["status"] = {"qosClass": "BestEffort", "initContainerStatuses": [ended]}
    obj = {
        **old,
        "status": {**old["status"], "initContainerStatuses": [{"name": "i", "state": {"waiting": {}}}]},
    }
    assert len(status_causes(obj, old)) == 1
    old["spec"]["containers"][0] |= {"restartPolicy": "Never", "restartPolicyRules": [rule]}
    assert status_causes(obj, old) == []
