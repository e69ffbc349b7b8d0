"""LimitRanges: upstream's e2e tests of them. Pods get defaults, and none may be too large or too small."""

from typing import Any

from conformance import pods
from conformance.rest import MERGE
from conformance.space import Space

Object = dict[str, Any]
RANGES = "limitranges"
LIMITS = {
    "type": "Container",
    "min": {"cpu": "50m", "memory": "100Mi", "ephemeral-storage": "100Gi"},
    "max": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    "defaultRequest": {"cpu": "100m", "memory": "200Mi", "ephemeral-storage": "200Gi"},
    "default": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
}


def limit(space: Space, name: str = "limits", **more: Any) -> Object:
    body = {"metadata": {"name": name, **more}, "spec": {"limits": [LIMITS]}}
    return space.create(body, RANGES)


def pod(name: str, *, requests: Object | None = None, limits: Object | None = None) -> Object:
    given = {"requests": requests, "limits": limits}
    resources = {key: amounts for key, amounts in given.items() if amounts}
    return pods.pod(name, {"name": "c", "image": "registry.example/c", "resources": resources})


def resources(made: Object) -> Object:
    found: Object = made["spec"]["containers"][0]["resources"]
    return found


def test_pods_get_the_defaults_that_they_lack(virtual_space: Space) -> None:
    limit(virtual_space)
    bare = virtual_space.create(pod("bare"))
    assert resources(bare) == {"requests": LIMITS["defaultRequest"], "limits": LIMITS["default"]}
    told = bare["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert told == (
        "LimitRanger plugin set: cpu, ephemeral-storage, memory request for container c;"
        " cpu, ephemeral-storage, memory limit for container c"
    )
    partial = virtual_space.create(
        pod("partial", requests={"cpu": "300m", "memory": "150Mi"}, limits={"cpu": "300m"})
    )
    assert resources(partial) == {
        "requests": {"cpu": "300m", "memory": "150Mi", "ephemeral-storage": "200Gi"},
        "limits": {"cpu": "300m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    }


def test_what_is_too_small_or_too_large_is_refused_until_the_range_is_changed(virtual_space: Space) -> None:
    limit(virtual_space)
    small = pod("small", requests={"cpu": "10m", "memory": "100Mi"})
    status = virtual_space.rest.refusal(403, "POST", virtual_space.path("pods"), small)
    told = "minimum cpu usage per Container is 50m, but request is 10m"
    assert status["message"] == f'pods "small" is forbidden: {told}'
    large = pod("large", limits={"cpu": "600m"})
    status = virtual_space.rest.refusal(403, "POST", virtual_space.path("pods"), large)
    assert "maximum cpu usage per Container is 500m, but limit is 600m" in status["message"]
    found = virtual_space.rest.get(virtual_space.path(RANGES, "limits"))
    found["spec"]["limits"][0]["min"] = {"cpu": "9m", "memory": "49Mi", "ephemeral-storage": "49Gi"}
    virtual_space.rest.put(virtual_space.path(RANGES, "limits"), found)
    virtual_space.create(small)
    virtual_space.rest.delete(virtual_space.path(RANGES, "limits"))
    virtual_space.rest.gone(virtual_space.path(RANGES, "limits"))
    virtual_space.create(large)


def test_ranges_are_listed_patched_and_deleted_by_their_labels(virtual_space: Space) -> None:
    limit(virtual_space, labels={"e2e": virtual_space.name})
    selector = f"e2e={virtual_space.name}"
    listed = virtual_space.rest.get(f"/api/v1/{RANGES}", labelSelector=selector)["items"]
    assert [each["metadata"]["name"] for each in listed] == ["limits"]
    patch = {"metadata": {"labels": {"limits": "patched"}}}
    path = virtual_space.path(RANGES, "limits")
    patched = virtual_space.rest.patch(path, patch, content_type=MERGE)
    assert patched["metadata"]["labels"]["limits"] == "patched"
    virtual_space.rest.delete(virtual_space.path(RANGES), labelSelector="limits=patched")
    virtual_space.rest.gone(path)


def test_claims_have_bounds(virtual_space: Space) -> None:
    bounds = {
        "type": "PersistentVolumeClaim",
        "min": {"storage": "1Gi"},
        "max": {"storage": "2Gi"},
    }
    virtual_space.create({"metadata": {"name": "claims"}, "spec": {"limits": [bounds]}}, RANGES)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}
    claim = {"metadata": {"name": "c"}, "spec": spec}
    path = virtual_space.path("persistentvolumeclaims")
    status = virtual_space.rest.refusal(403, "POST", path, claim)
    told = "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    assert told in status["message"]
