"""Deployments, ReplicaSets and ReplicationControllers as tests make them, and what they wait for in them.

Not here: what is expected of them.
"""

from collections.abc import Callable
from typing import Any

from conformance import pods
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
APPS, CORE = "apis/apps/v1", "api/v1"
NOWHERE = {"nodeSelector": {"conformance.example.com/nowhere": "true"}}
"""Of a pod's spec: no node takes it."""
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def template(space: Space, labels: dict[str, str], *, name: str = "main", **spec: Any) -> Object:
    main = pods.container(space.image, name=name)
    return {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [main], **spec},
    }


def replica_set(space: Space, name: str, replicas: int, *, labels: dict[str, str] | None = None) -> Object:
    labels = labels or {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(space, labels),
        },
    }


def replication_controller(space: Space, name: str, replicas: int) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": labels, "template": template(space, labels)},
    }


def deployment(space: Space, name: str, replicas: int, **spec: Any) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(space, labels),
            **spec,
        },
    }


def rolling(surge: int | str, unavailable: int | str) -> Object:
    bounds = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": bounds}


def until(
    space: Space, path: str, holds: Callable[[Object], object], *, what: str, timeout: float = 60
) -> Object:
    """The object as it is when `holds` is true of it."""

    def probe() -> Object | None:
        found: Object = space.rest.get(path)
        assert holds(found), found.get("status")
        return found

    return eventually(probe, what=f"{path} {what}", timeout=timeout)


def complete(space: Space, name: str) -> Object:
    """The Deployment, when its rollout is done: as `kubectl rollout status` and upstream's tests see it."""
    return until(space, space.path("deployments", name, group=APPS), is_complete, what="is rolled out")


def is_complete(found: Object) -> bool:
    status, wanted = found.get("status", {}), found["spec"]["replicas"]
    counts = (status.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas"))
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return seen and all(count == wanted for count in counts)


def ready(space: Space, path: str, replicas: int) -> Object:
    return until(
        space,
        path,
        lambda found: found["status"].get("readyReplicas", 0) == replicas,
        what=f"has {replicas} ready",
    )


def listed(space: Space, resource: str, labels: dict[str, str], *, group: str = CORE) -> list[Object]:
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    found: list[Object] = space.rest.get(space.path(resource, group=group), labelSelector=selector)["items"]
    return found


def replica_sets(space: Space, name: str) -> list[Object]:
    """A Deployment's, by revision."""
    return sorted(listed(space, "replicasets", {"app": name}, group=APPS), key=_revision)


def limited(space: Space, *, pods: int) -> None:
    """The space has a quota, which is in force."""
    hard = {"pods": str(pods)}
    quota = {"metadata": {"name": "limited"}, "spec": {"hard": hard}}
    space.create({"apiVersion": "v1", "kind": "ResourceQuota", **quota}, "resourcequotas")
    counted: Callable[[Object], bool] = lambda found: found.get("status", {}).get("hard") == hard  # noqa: E731
    until(space, space.path("resourcequotas", "limited"), counted, what="is counted")


def _revision(replica_set: Object) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, 0))


def size(replica_set: Object) -> int:
    replicas: int = replica_set["spec"]["replicas"]
    return replicas


def owner_of(obj: Object) -> str:
    """The uid of the controller; "" without one."""
    references = obj["metadata"].get("ownerReferences", [])
    return next((str(each["uid"]) for each in references if each.get("controller")), "")


def condition(obj: Object, kind: str) -> Object:
    found: list[Object] = obj.get("status", {}).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})
