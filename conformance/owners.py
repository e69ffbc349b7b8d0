"""Owners and dependents under test: workloads by their names, references among objects, what is left of them.

Not here: what is expected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance import pods
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
APPS, BATCH, CORE = "apis/apps/v1", "apis/batch/v1", "api/v1"
IMAGE = "registry.example/pause:1"
"""No image is ever pulled on a virtual node."""
HOLD = "conformance.example.com/hold"
"""A finalizer that nobody takes away but the test."""


def template(name: str, *, image: str = IMAGE, **spec: Any) -> Object:
    containers = [pods.container(image)]
    given = {"terminationGracePeriodSeconds": 1, "containers": containers, **spec}
    return {"metadata": {"labels": {"name": name}}, "spec": given}


def reference(owner: Object, **more: Any) -> Object:
    own = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": own["name"],
        "uid": own["uid"],
        **more,
    }


@dataclass(frozen=True)
class Owners:
    space: Space

    def replication_controller(self, name: str, *, replicas: int, image: str = IMAGE) -> Object:
        wanted = {"replicas": replicas, "selector": {"name": name}, "template": template(name, image=image)}
        obj = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name}}
        made = self.space.create({**obj, "spec": wanted}, "replicationcontrollers")
        self.until(lambda: len(self.pods(name)) == replicas, f"{name} has its pods")
        return made

    def deployment(self, name: str, *, replicas: int = 2) -> Object:
        selector = {"matchLabels": {"name": name}}
        wanted = {"replicas": replicas, "selector": selector, "template": template(name)}
        obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": wanted}
        made: Object = self.space.rest.post(self.space.path("deployments", group=APPS), obj)
        self.until(lambda: len(self.replica_sets()) == 1, f"{name} has its replica set")
        self.until(lambda: len(self.pods(name)) == replicas, f"{name} has its pods")
        return made

    def config_map(self, name: str, *owners: Object, finalizers: tuple[str, ...] = ()) -> Object:
        own = {"name": name, "ownerReferences": list(owners), "finalizers": list(finalizers)}
        return self.space.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": own}, "configmaps")

    def pods(self, name: str) -> list[Object]:
        return self.list("pods", labelSelector=f"name={name}")

    def replica_sets(self) -> list[Object]:
        return self.list("replicasets", group=APPS)

    def list(self, resource: str, *, group: str = CORE, **query: Any) -> list[Object]:
        found: list[Object] = self.space.rest.get(self.space.path(resource, group=group), **query)["items"]
        return found

    def delete(self, resource: str, name: str, *, group: str = CORE, **options: Any) -> None:
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        self.space.rest.delete(self.space.path(resource, name, group=group), body)

    def exists(self, resource: str, name: str, *, group: str = CORE) -> bool:
        return self.space.rest.request("GET", self.space.path(resource, name, group=group)).code == 200

    def gone(self, resource: str, name: str, *, group: str = CORE) -> None:
        self.space.rest.gone(self.space.path(resource, name, group=group))

    def free(self, name: str) -> None:
        """Take a config map's finalizers away."""
        path = self.space.path("configmaps", name)
        self.space.rest.patch(path, {"metadata": {"finalizers": None}})

    def until(self, holds: Callable[[], object], what: str) -> None:
        eventually(lambda: bool(holds()), what=what, every=0.05)
