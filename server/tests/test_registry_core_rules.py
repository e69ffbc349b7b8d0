"""What the core kinds beside pods must be: field, reason and words are upstream's."""

from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.options import MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.storage import Store

PORTS = [{"port": 80}]
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {
    "accessModes": ["ReadWriteOnce"],
    "capacity": {"storage": "1Gi"},
    "nfs": {"server": "s", "path": "/"},
}


def kind(plural: str) -> Kind:
    found = Kinds().lookup("", "v1", plural)
    assert found is not None
    return found


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield Registry(store, FakeClock(), AdmitAll())
    await store.close()


def context() -> RequestContext:
    return RequestContext(SYSTEM)


def place(plural: str) -> str:
    return "default" if kind(plural).namespaced else ""


async def make(registry: Registry, plural: str, **fields: Any) -> dict[str, Any]:
    obj = {"metadata": {"name": "x"}, **fields}
    return dict((await registry.create(context(), kind(plural), place(plural), obj)).obj)


async def change(registry: Registry, plural: str, subresource: str = "", **fields: Any) -> dict[str, Any]:
    patch = Patch(MERGE_PATCH, fields)
    result = await registry.patch(context(), kind(plural), place(plural), "x", patch, subresource=subresource)
    return dict(result.record.obj)


def told(caught: pytest.ExceptionInfo[errors.Invalid]) -> list[str]:
    assert caught.value.details is not None
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


@pytest.mark.parametrize(
    ("plural", "fields", "expected"),
    [
        ("services", {"spec": {}}, "spec.ports: Required value"),
        (
            "services",
            {
                "spec": {
                    "ports": PORTS,
                    "sessionAffinity": "ClientIP",
                    "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}},
                }
            },
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater"
            " than 0 and less than 86400",
        ),
        (
            "services",
            {"spec": {"ports": PORTS, "externalTrafficPolicy": "Local"}},
            'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible'
            " services",
        ),
        (
            "services",
            {"spec": {"ports": PORTS, "loadBalancerClass": "a/b"}},
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            "services",
            {"spec": {"ports": PORTS, "trafficDistribution": "Near"}},
            'spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose",'
            ' "PreferSameNode", "PreferSameZone"',
        ),
        (
            "services",
            {"spec": {"ports": PORTS, "clusterIPs": ["10.96.0.9"]}},
            'spec.clusterIPs: Invalid value: ["10.96.0.9"]: must be empty when `clusterIP` is not specified',
        ),
        (
            "services",
            {"spec": {"ports": PORTS, "externalIPs": ["127.0.0.1"]}},
            'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range'
            " (127.0.0.0/8, ::1/128)",
        ),
        (
            "services",
            {"spec": {"ports": PORTS, "ipFamilyPolicy": "RequireDualStack"}},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for'
            " dual-stack services",
        ),
        (
            "services",
            {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]}},
            'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}',
        ),
        (
            "endpoints",
            {"subsets": [{"ports": [{"port": 1}]}]},
            "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
        ),
        (
            "persistentvolumeclaims",
            {"spec": {}},
            "spec.accessModes: Required value: at least 1 access mode is required",
        ),
        (
            "persistentvolumeclaims",
            {"spec": {**CLAIM, "resources": {"requests": {"storage": "0"}}}},
            'spec.resources[storage]: Invalid value: "0": must be greater than zero',
        ),
        (
            "persistentvolumeclaims",
            {"spec": {**CLAIM, "dataSource": {"kind": "Thing", "name": "x"}}},
            "",
        ),
        ("persistentvolumes", {"spec": {"accessModes": ["ReadWriteOnce"]}}, "spec.capacity: Required value"),
        (
            "persistentvolumes",
            {"spec": {**VOLUME, "hostPath": {"path": "/x"}}},
            "spec.nfs: Forbidden: may not specify more than 1 volume type",
        ),
        (
            "persistentvolumes",
            {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "capacity": {"storage": "1"},
                    "local": {"path": "/x"},
                }
            },
            "spec.nodeAffinity: Required value: Local volume requires node affinity",
        ),
        (
            "resourcequotas",
            {"spec": {"hard": {"disks": "1"}}},
            'spec.hard[disks]: Invalid value: "disks": must be a standard resource type or fully qualified',
        ),
        (
            "resourcequotas",
            {"spec": {"hard": {"services": "1"}, "scopes": ["BestEffort"]}},
            'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
        ),
        (
            "limitranges",
            {"spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
            'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        ),
        (
            "nodes",
            {"spec": {"taints": [{"key": "a", "effect": "Never"}]}},
            'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule",'
            ' "PreferNoSchedule", "NoExecute"',
        ),
        (
            "namespaces",
            {"spec": {"finalizers": ["mine"]}},
            'spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it'
            " fully qualified",
        ),
    ],
)
async def test_mistakes(registry: Registry, plural: str, fields: dict[str, Any], expected: str) -> None:
    if not expected:
        await make(registry, plural, **fields)
        return
    with pytest.raises(errors.Invalid) as caught:
        await make(registry, plural, **fields)
    assert expected in told(caught)


async def test_a_service_loses_what_its_new_type_has_no_use_for(registry: Registry) -> None:
    spec = {
        "type": "LoadBalancer",
        "ports": PORTS,
        "loadBalancerClass": "a/b",
        "externalTrafficPolicy": "Local",
    }
    made = (await make(registry, "services", spec=spec))["spec"]
    assert {"healthCheckNodePort", "allocateLoadBalancerNodePorts"} < set(made)
    found = (await change(registry, "services", spec={"type": "ClusterIP"}))["spec"]
    assert set(made) - set(found) == {
        "healthCheckNodePort", "allocateLoadBalancerNodePorts", "loadBalancerClass", "externalTrafficPolicy"
    }  # fmt: skip
    assert "nodePort" not in found["ports"][0]
    assert found["clusterIP"] == made["clusterIP"]


async def test_a_balancer_s_class_stays(registry: Registry) -> None:
    await make(
        registry, "services", spec={"type": "LoadBalancer", "ports": PORTS, "loadBalancerClass": "a/b"}
    )
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "services", spec={"loadBalancerClass": "a/c"})
    assert told(caught) == ['spec.loadBalancerClass: Invalid value: "a/c": may not change once set']


async def test_a_service_becomes_external_and_returns(registry: Registry) -> None:
    await make(registry, "services", spec={"ports": PORTS})
    outside = (await change(registry, "services", spec={"type": "ExternalName", "externalName": "a.b"}))[
        "spec"
    ]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(outside)
    inside = (await change(registry, "services", spec={"type": "ClusterIP"}))["spec"]
    assert ip_address(inside["clusterIP"]) in ip_network("10.96.0.0/12")
    assert "externalName" not in inside


async def test_a_balancer_s_status_gets_its_mode(registry: Registry) -> None:
    await make(registry, "services", spec={"type": "LoadBalancer", "ports": PORTS})
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    found = await change(registry, "services", "status", status=status)
    assert found["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]


async def test_a_claim_s_source_has_two_names(registry: Registry) -> None:
    source = {"kind": "PersistentVolumeClaim", "name": "other"}
    made = await make(registry, "persistentvolumeclaims", spec={**CLAIM, "dataSource": source})
    assert made["spec"]["dataSourceRef"] == source


async def test_a_bound_claim_may_grow_and_no_more(registry: Registry) -> None:
    await make(registry, "persistentvolumeclaims", spec=CLAIM)
    bigger = {"resources": {"requests": {"storage": "2Gi"}}}
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "persistentvolumeclaims", spec=bigger)
    assert told(caught) == [
        "spec: Forbidden: spec is immutable after creation except resources.requests and"
        " volumeAttributesClassName for bound claims"
    ]
    status = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    await change(registry, "persistentvolumeclaims", "status", status=status)
    await change(registry, "persistentvolumeclaims", spec=bigger)
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "persistentvolumeclaims", spec={"resources": {"requests": {"storage": "1Gi"}}})
    assert told(caught) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]


async def test_a_volume_s_source_stays(registry: Registry) -> None:
    await make(registry, "persistentvolumes", spec=VOLUME)
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "persistentvolumes", spec={"nfs": {"path": "/other"}})
    assert told(caught) == [
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    ]


async def test_a_node_s_range_is_given_once(registry: Registry) -> None:
    made = await make(registry, "nodes", spec={"podCIDR": "10.0.0.0/24"})
    assert made["spec"]["podCIDRs"] == ["10.0.0.0/24"]
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "nodes", spec={"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24"]})
    assert told(caught) == [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'
    ]


async def test_a_quota_s_scopes_stay(registry: Registry) -> None:
    await make(registry, "resourcequotas", spec={"hard": {"pods": "1"}, "scopes": ["BestEffort"]})
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "resourcequotas", spec={"scopes": ["NotBestEffort"]})
    assert told(caught) == ['spec.scopes: Invalid value: ["NotBestEffort"]: field is immutable']


async def test_a_living_namespace_is_active(registry: Registry) -> None:
    await make(registry, "namespaces")
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "namespaces", "status", status={"phase": "Terminating"})
    assert told(caught) == [
        "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    ]


async def test_deprecated_fields_are_told(registry: Registry) -> None:
    asked = context()
    spec = {**VOLUME, "persistentVolumeReclaimPolicy": "Recycle"}
    await registry.create(asked, kind("persistentvolumes"), "", {"metadata": {"name": "x"}, "spec": spec})
    assert asked.warnings == [
        "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the"
        " recommended approach is to use dynamic provisioning."
    ]
