"""What the runtime is told, for whole pods: `golden/pods/<name>.yaml` becomes `<name>.json`.

KUBELING_UPDATE_GOLDEN=1 writes the files anew; read the difference before you commit it.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from cri_api.v1 import api_pb2 as cri
from google.protobuf.json_format import MessageToDict

from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.containers.config import container_config
from runtime.pods.containers.security import container_context
from runtime.pods.environment.downward import PodFacts
from runtime.pods.environment.services import service_environment
from runtime.pods.environment.variables import ConfigError, environment
from runtime.pods.references import CONFIG_MAP, SECRET, Reference
from runtime.pods.sandbox.config import sandbox_config
from runtime.pods.sandbox.dns import ClusterDns, parse, pod_dns
from runtime.pods.sandbox.hosts import kernel_hostname

GOLDEN = Path(__file__).parent / "golden" / "pods"
SOURCES: dict[Reference, dict[str, Any]] = {
    Reference(CONFIG_MAP, "shop", "settings"): {"data": {"color": "blue", "size": "9"}},
    Reference(SECRET, "shop", "login"): {"data": {"password": base64.b64encode(b"hunter2").decode()}},
}
SERVICES = [
    {
        "metadata": {"namespace": space, "name": name},
        "spec": {"clusterIP": address, "ports": [{"name": "web", "port": port, "protocol": "TCP"}]},
    }
    for space, name, address, port in [
        ("default", "kubernetes", "10.96.0.1", 443),
        ("shop", "cart-api", "10.96.0.9", 80),
        ("other", "hidden", "10.96.0.8", 81),
        ("shop", "headless", "None", 82),
    ]
]
FACTS = PodFacts("node-1", ("10.244.0.9",), ("192.0.2.7",), {"cpu": "4", "memory": "8Gi"})
RULES = ResourceRules(memory_capacity=2**30)
RESOLV_CONF = parse("nameserver 198.51.100.1\nsearch corp.test\noptions ndots:5 rotate\n")


def configurations(pod: dict[str, Any]) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    services = service_environment(SERVICES, pod)
    env = environment(pod, container, sources=SOURCES, services=services, facts=FACTS)
    image = cri.Image(id="sha256:app", uid=cri.Int64Value(value=7))
    made = container_config(
        pod, container, attempt=3, image=image, env=env, mounts=[], resources=RULES.container(pod, container)
    )
    sandbox = sandbox_config(
        pod,
        attempt=1,
        log_directory=Path("/logs/pod"),
        hostname=kernel_hostname(pod, "cluster.local"),
        dns=pod_dns(pod, RESOLV_CONF, ClusterDns()).config,
        rules=RULES,
    )
    return {"container": MessageToDict(made), "sandbox": MessageToDict(sandbox)}


@pytest.mark.parametrize("name", sorted(file.stem for file in GOLDEN.glob("*.yaml")))
def test_configurations_are_those_of_the_golden_files(name: str) -> None:
    made = configurations(yaml.safe_load((GOLDEN / f"{name}.yaml").read_text()))
    file = GOLDEN / f"{name}.json"
    if os.environ.get("KUBELING_UPDATE_GOLDEN"):
        file.write_text(json.dumps(made, indent=2, sort_keys=True) + "\n")
    assert made == json.loads(file.read_text())


@pytest.mark.parametrize(
    ("context", "image", "why"),
    [
        ({"runAsUser": 0}, cri.Image(), "container's runAsUser breaks non-root policy"),
        ({}, cri.Image(), "container has runAsNonRoot and image will run as root"),
        ({}, cri.Image(username="www"), "image has non-numeric user (www), cannot verify user is non-root"),
    ],
)
def test_a_container_that_must_not_be_root_is_refused(
    context: dict[str, Any], image: cri.Image, why: str
) -> None:
    pod = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {}}
    container = {"name": "c", "securityContext": {"runAsNonRoot": True, **context}}
    with pytest.raises(ConfigError, match=r"\(pod: \"p_n\(u\)\", container: c\)") as caught:
        container_context(pod, container, image)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"configMapKeyRef": {"name": "gone", "key": "k"}}, 'configmap "gone" not found'),
        ({"secretKeyRef": {"name": "gone", "key": "k"}}, 'secret "gone" not found'),
        (
            {"configMapKeyRef": {"name": "settings", "key": "k"}},
            "couldn't find key k in ConfigMap shop/settings",
        ),
        ({"fieldRef": {"fieldPath": "spec.nothing"}}, "unsupported fieldPath: spec.nothing"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "containerName": "x"}}, "container x not found"),
    ],
)
def test_a_source_that_is_missing_is_a_config_error(source: dict[str, Any], why: str) -> None:
    pod = {"metadata": {"name": "p", "namespace": "shop", "uid": "u"}, "spec": {}}
    container = {"name": "c", "env": [{"name": "X", "valueFrom": source}]}
    with pytest.raises(ConfigError) as caught:
        environment(pod, container, sources=SOURCES, services={}, facts=FACTS)
    assert str(caught.value) == why


def test_a_limit_that_is_not_set_is_what_the_node_can_give() -> None:
    pod = {"metadata": {"name": "p", "namespace": "shop", "uid": "u"}, "spec": {}}
    selector = {"resource": "limits.memory", "divisor": "1Gi"}
    container = {"name": "c", "env": [{"name": "X", "valueFrom": {"resourceFieldRef": selector}}]}
    assert environment(pod, container, sources={}, services={}, facts=FACTS) == {"X": "8"}
