"""LimitRanges: defaults for containers, and what is refused."""

from typing import Any

import pytest

from kubeling.objects.errors import Forbidden
from server.admission.limit_ranger import ANNOTATION, LimitRanger
from server.registry.admission import Attributes
from server.registry.kinds import Kinds
from server.tests.test_admission_plugins import Objects, attributes


def ranger(*limits: dict[str, Any], name: str = "l") -> LimitRanger:
    return LimitRanger(Objects(limitranges={f"a/{name}": {"spec": {"limits": list(limits)}}}))


def container(name: str = "c", *, requests: Any = None, limits: Any = None) -> dict[str, Any]:
    given = {"requests": requests, "limits": limits}
    return {"name": name, "resources": {key: value for key, value in given.items() if value}}


def pod(*containers: dict[str, Any], init: Any = (), **spec: Any) -> dict[str, Any]:
    inside = {"containers": list(containers), **({"initContainers": list(init)} if init else {}), **spec}
    return {"metadata": {"name": "p", "namespace": "a"}, "spec": inside}


def claim(size: str) -> dict[str, Any]:
    spec = {"resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": "p", "namespace": "a"}, "spec": spec}


def refusal(plugin: LimitRanger, asked: Attributes) -> str:
    with pytest.raises(Forbidden) as caught:
        plugin.validate(asked)
    return str(caught.value).removeprefix(f'{asked.kind.resource} "p" is forbidden: ')


def test_containers_get_what_they_lack_and_the_pod_says_so() -> None:
    default = {"cpu": "500m", "memory": "1Gi"}
    plugin = ranger({"type": "Container", "default": default, "defaultRequest": {"cpu": "100m"}})
    made = pod(container(limits={"cpu": "1"}), init=[container("i", requests={"cpu": "2"})])
    plugin.mutate(attributes(made))
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "100m"},
    }
    assert made["metadata"]["annotations"] == {
        ANNOTATION: "LimitRanger plugin set: cpu request for container c; memory limit for container c;"
        " cpu, memory limit for init container i"
    }


def test_what_says_everything_is_left_alone() -> None:
    made = pod(container(limits={"cpu": "1"}))
    ranger({"type": "Container", "default": {"cpu": "2"}}).mutate(attributes(made))
    assert made == pod(container(limits={"cpu": "1"}))


LEAST = {"type": "Container", "min": {"cpu": "100m"}}
MOST = {"type": "Container", "max": {"memory": "1Gi"}}
RATIO = {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("limit", "sizes", "told"),
    [
        (LEAST, {}, "minimum cpu usage per Container is 100m.  No request is specified"),
        (LEAST, {"requests": {"cpu": "50m"}}, "minimum cpu usage per Container is 100m, but request is 50m"),
        (
            LEAST,
            {"requests": {"cpu": "1"}, "limits": {"cpu": "1m"}},
            "minimum cpu usage per Container is 100m, but limit is 1m",
        ),
        (MOST, {}, "maximum memory usage per Container is 1Gi.  No limit is specified"),
        (MOST, {"limits": {"memory": "2Gi"}}, "maximum memory usage per Container is 1Gi, but limit is 2Gi"),
        (
            MOST,
            {"limits": {"memory": "1Gi"}, "requests": {"memory": "3Gi"}},
            "maximum memory usage per Container is 1Gi, but request is 3Gi",
        ),
        (
            RATIO,
            {},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
        (
            RATIO,
            {"requests": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
        ),
        (
            RATIO,
            {"requests": {"cpu": "1"}, "limits": {"cpu": "2500m"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000",
        ),
    ],
)
def test_refusals_say_what_is_allowed_and_what_was_asked(limit: Any, sizes: Any, told: str) -> None:
    assert refusal(ranger(limit), attributes(pod(container(**sizes)))) == told


def test_several_violations_are_told_together_each_once() -> None:
    made = pod(container("a"), container("b"))
    least = "minimum cpu usage per Container is 100m.  No request is specified"
    most = "maximum memory usage per Container is 1Gi.  No limit is specified"
    assert refusal(ranger(LEAST, MOST), attributes(made)) == f"[{least}, {most}]"


def test_a_pod_is_measured_as_a_whole() -> None:
    plugin = ranger({"type": "Pod", "max": {"cpu": "1"}})
    half = {"limits": {"cpu": "500m"}}
    plugin.validate(attributes(pod(container("a", **half), container("b", **half))))
    sidecar = {**container("s", **half), "restartPolicy": "Always"}
    made = pod(container("a", **half), container("b", **half), init=[sidecar])
    assert refusal(plugin, attributes(made)) == "maximum cpu usage per Pod is 1, but limit is 1500m"
    own = pod(container("a", **half), resources={"limits": {"cpu": "2"}})
    assert refusal(plugin, attributes(own)) == "maximum cpu usage per Pod is 1, but limit is 2"


def test_claims_are_measured_by_what_they_ask_for() -> None:
    size = {"min": {"storage": "2Gi"}, "max": {"storage": "4Gi"}}
    plugin = ranger({"type": "PersistentVolumeClaim", **size})

    def asked(obj: Any, **rest: Any) -> Attributes:
        return attributes(obj, plural="persistentvolumeclaims", **rest)

    plugin.validate(asked(claim("2Gi")))
    told = "minimum storage usage per PersistentVolumeClaim is 2Gi, but request is 1Gi"
    assert refusal(plugin, asked(claim("1Gi"))) == told
    told = "maximum storage usage per PersistentVolumeClaim is 4Gi, but request is 5Gi"
    assert refusal(plugin, asked(claim("5Gi"))) == told
    plugin.validate(asked(claim("5Gi"), operation="UPDATE", old=claim("5Gi")))


def test_an_update_is_held_to_what_it_changes() -> None:
    small, large = container(limits={"memory": "2Gi"}), container(limits={"memory": "3Gi"})
    plugin = ranger(MOST)
    asked = attributes(pod(small), operation="UPDATE", subresource="resize", old=pod(small))
    plugin.validate(asked)
    asked = attributes(pod(large), operation="UPDATE", subresource="resize", old=pod(small))
    assert refusal(plugin, asked) == "maximum memory usage per Container is 1Gi, but limit is 3Gi"


def test_only_new_pods_resizes_and_claims_concern_it() -> None:
    kinds, plugin = Kinds(), ranger()
    pods, claims = (kinds.lookup("", "v1", each) for each in ("pods", "persistentvolumeclaims"))
    assert pods is not None
    assert claims is not None
    assert plugin.concerns(pods, "CREATE", "")
    assert plugin.concerns(pods, "UPDATE", "resize")
    assert not plugin.concerns(pods, "UPDATE", "")
    assert not plugin.concerns(pods, "UPDATE", "status")
    assert plugin.concerns(claims, "UPDATE", "")
