"""Variables out of ConfigMaps, Secrets, the pod itself, files and Services."""

import math
import re
from functools import partial
from typing import Any

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def asks(space: Space, name: str, **more: Any) -> Object:
    """A container that prints its environment; not by way of a shell, which drops odd names."""
    return {"name": name, "image": space.image, "command": ["env"], **more}


def field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def amount(name: str, resource: str, **more: str) -> Object:
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource, **more}}}


def key_of(kind: str, name: str, key: str, **more: Any) -> Object:
    return {"name": "VALUE", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key, **more}}}


FIELDS = [
    field("NAME", "metadata.name"),
    field("NAMESPACE", "metadata.namespace"),
    field("UID", "metadata.uid"),
    field("LABEL", "metadata.labels['app.example/tier']"),
    field("NO_LABEL", "metadata.labels['absent']"),
    field("ANNOTATION", "metadata.annotations['note']"),
    field("NODE", "spec.nodeName"),
    field("ACCOUNT", "spec.serviceAccountName"),
    field("POD_IP", "status.podIP"),
    field("POD_IPS", "status.podIPs"),
    field("HOST_IP", "status.hostIP"),
    field("HOST_IPS", "status.hostIPs"),
]
AMOUNTS = [
    amount("CPU_LIMIT", "limits.cpu"),
    amount("MILLIS", "limits.cpu", divisor="1m"),
    amount("MEMORY_LIMIT", "limits.memory"),
    amount("CPU_REQUEST", "requests.cpu"),
    amount("MEMORY_REQUEST", "requests.memory", divisor="1Mi"),
]
RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}
UPPER = amount("OTHERS", "limits.memory", containerName="amounts")
ORDER = [
    {"name": "FROM_MAP", "value": "overridden by env"},
    {"name": "DOUBLE", "value": "first"},
    {"name": "DOUBLE", "value": "$(DOUBLE) second"},
    {"name": "LATE", "value": "$(LATER)"},
    {"name": "LATER", "value": "$(from-secret.key)"},
]


@pytest.fixture(scope="module")
def env(shared_space: Space) -> dict[str, dict[str, str]]:
    """What each container of one pod found, by its name."""
    space = shared_space
    space.config_map("settings", FROM_MAP="map", both="map", **{"odd-name.1": "odd"})
    space.secret("keys", both="secret", **{"from-secret.key": "hidden"})
    references = [
        {"configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "keys"}},
        {"prefix": "p-", "configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "absent", "optional": True}},
    ]
    containers = [
        asks(space, "map-key", env=[key_of("configMap", "settings", "FROM_MAP")]),
        asks(space, "secret-key", env=[key_of("secret", "keys", "from-secret.key")]),
        asks(space, "no-map", env=[key_of("configMap", "absent", "x", optional=True)]),
        asks(space, "no-key", env=[key_of("secret", "keys", "absent", optional=True)]),
        asks(space, "all", envFrom=references),
        asks(space, "order", envFrom=references, env=ORDER),
        asks(space, "fields", env=FIELDS),
        asks(space, "amounts", env=AMOUNTS, resources=RESOURCES),
        asks(space, "unlimited", env=[*AMOUNTS, UPPER]),
    ]
    pod = pods.pod("asked", *containers)
    pod["metadata"] |= {"labels": {"app.example/tier": "front"}, "annotations": {"note": 'a "quoted" note'}}
    space.create(pod)
    space.phase("asked", "Succeeded")
    return {each["name"]: variables(space.log("asked", container=each["name"])) for each in containers}


def is_held(pod: Object, *, name: str) -> bool:
    return pods.waiting_reason(pod, name) == "CreateContainerConfigError"


def variables(log: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in log.splitlines() if "=" in line)


def test_one_key_of_a_config_map_or_secret(env: dict[str, dict[str, str]]) -> None:
    assert env["map-key"]["VALUE"] == "map"
    assert env["secret-key"]["VALUE"] == "hidden"


def test_what_is_optional_may_be_absent(env: dict[str, dict[str, str]]) -> None:
    assert "VALUE" not in env["no-map"]
    assert "VALUE" not in env["no-key"]


def test_all_keys_of_config_maps_and_secrets(env: dict[str, dict[str, str]]) -> None:
    found = env["all"]
    assert (found["FROM_MAP"], found["from-secret.key"], found["odd-name.1"]) == ("map", "hidden", "odd")
    assert (found["p-FROM_MAP"], found["p-odd-name.1"]) == ("map", "odd")
    assert found["both"] == "secret", "the last one counts"


def test_what_is_named_counts_more_and_later_ones_see_earlier_ones(env: dict[str, dict[str, str]]) -> None:
    found = env["order"]
    assert found["FROM_MAP"] == "overridden by env"
    assert found["DOUBLE"] == "first second"
    assert found["LATE"] == "$(LATER)", "it is not known yet"
    assert found["LATER"] == "hidden"


def test_fields_of_the_pod(env: dict[str, dict[str, str]], shared_space: Space) -> None:
    found, pod = env["fields"], shared_space.pod("asked")
    metadata, status = pod["metadata"], pod["status"]
    assert (found["NAME"], found["NAMESPACE"], found["UID"]) == ("asked", shared_space.name, metadata["uid"])
    assert (found["LABEL"], found["NO_LABEL"], found["ANNOTATION"]) == ("front", "", 'a "quoted" note')
    assert (found["NODE"], found["ACCOUNT"]) == (pod["spec"]["nodeName"], "default")
    assert found["POD_IP"] == found["POD_IPS"] == status["podIP"]
    assert found["HOST_IP"] == found["HOST_IPS"] == status["hostIP"]


def test_amounts_are_rounded_up_to_the_divisor(env: dict[str, dict[str, str]]) -> None:
    found = env["amounts"]
    assert (found["CPU_LIMIT"], found["MILLIS"], found["CPU_REQUEST"]) == ("2", "1250", "1")
    assert (found["MEMORY_LIMIT"], found["MEMORY_REQUEST"]) == (str(64 << 20), "32")


def test_limits_that_are_not_set_are_the_nodes(env: dict[str, dict[str, str]], shared_space: Space) -> None:
    node = shared_space.rest.get(f"/api/v1/nodes/{shared_space.pod('asked')['spec']['nodeName']}")
    there, found = node["status"]["allocatable"], env["unlimited"]
    assert int(found["CPU_LIMIT"]) == math.ceil(amount_of(there["cpu"]))
    assert int(found["MEMORY_LIMIT"]) == amount_of(there["memory"])
    assert (found["CPU_REQUEST"], found["MEMORY_REQUEST"]) == ("0", "0")
    assert found["OTHERS"] == str(64 << 20), "of another container"


def amount_of(text: str) -> float:
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * {"": 1, "m": 0.001, "Ki": 1 << 10, "Mi": 1 << 20}[unit]


def test_the_apis_service_is_always_named(env: dict[str, dict[str, str]]) -> None:
    assert re.fullmatch(r"tcp://[\d.]+:443", env["fields"]["KUBERNETES_PORT"])
    assert env["fields"]["KUBERNETES_SERVICE_PORT_HTTPS"] == "443"


def test_services_of_the_namespace_are_named_unless_the_pod_declines(shared_space: Space) -> None:
    ports = [{"name": "web-http", "port": 8765, "targetPort": 8080}]
    service = {"metadata": {"name": "foo-service"}, "spec": {"ports": ports, "selector": {"app": "foo"}}}
    address = shared_space.create(service, "services")["spec"]["clusterIP"]
    linked = shared_space.run_all("linked", asks(shared_space, "main"))["main"]
    assert f"FOO_SERVICE_SERVICE_HOST={address}\n" in linked
    for line in ("SERVICE_PORT=8765", "SERVICE_PORT_WEB_HTTP=8765", f"PORT=tcp://{address}:8765"):
        assert f"FOO_SERVICE_{line}\n" in linked
    for line in (f"=tcp://{address}:8765", "_PORT=8765", "_PROTO=tcp", f"_ADDR={address}"):
        assert f"FOO_SERVICE_PORT_8765_TCP{line}\n" in linked
    apart = shared_space.run_all("apart", asks(shared_space, "main"), enableServiceLinks=False)["main"]
    assert "FOO_SERVICE" not in apart
    assert "KUBERNETES_SERVICE_HOST=" in apart


def test_a_file_that_an_init_container_wrote(shared_space: Space) -> None:
    def from_file(name: str, **more: Any) -> Object:
        return {
            "name": name,
            "valueFrom": {"fileKeyRef": {"volumeName": "shared", "path": "vars", "key": name, **more}},
        }

    volumes = {
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [
            pods.container(
                shared_space.image,
                "printf \"# by init\\nCOLOR='red'\\nTWO='one\\ntwo'\\n\" > /shared/vars",
                name="write",
                volumeMounts=[{"name": "shared", "mountPath": "/shared"}],
            )
        ],
    }
    use = pods.container(
        shared_space.image,
        'echo "$COLOR|$TWO|${NONE-unset}"',
        name="use",
        env=[from_file("COLOR"), from_file("TWO"), from_file("NONE", optional=True)],
    )
    assert shared_space.run_all("from-file", use, **volumes)["use"] == "red|one\ntwo|unset\n"


def test_what_is_missing_holds_the_container_and_says_so(shared_space: Space) -> None:
    space = shared_space.name
    whys = {
        "map": (key_of("configMap", "missing", "x"), 'configmap "missing" not found'),
        "secret": (key_of("secret", "missing", "x"), 'secret "missing" not found'),
        "key": (
            key_of("configMap", "settings", "gone"),
            f"couldn't find key gone in ConfigMap {space}/settings",
        ),
    }
    held = [asks(shared_space, name, env=[variable]) for name, (variable, _) in whys.items()]
    shared_space.create(pods.pod("held", *held))
    for name, (_, why) in whys.items():
        pod = shared_space.until("held", partial(is_held, name=name), what=f"holds {name}")
        assert pods.status_of(pod, name)["state"]["waiting"]["message"] == why
    assert shared_space.event("held", "Failed")["message"].startswith("Error: ")
    shared_space.remove_pod("held")


@pytest.mark.parametrize("kind", ["configmaps", "secrets"])
def test_an_empty_key_is_refused(shared_space: Space, kind: str) -> None:
    body = {"metadata": {"name": "empty"}, "data": {"": "dmFsdWU="}}
    assert shared_space.rest.request("POST", shared_space.path(kind), body).code == 422
