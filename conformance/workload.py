"""A StatefulSet or DaemonSet under test: what it and its pods say, and how they are changed and broken.

Not here: what is expected of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance import pods
from conformance.rest import MERGE
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
GROUP = "apis/apps/v1"
READY = "virtual.kubeling.dev/ready"
"""On a virtual node a pod is not ready while this annotation says "false"."""
FIRST_IMAGE, SECOND_IMAGE = "registry.example/web:1", "registry.example/web:2"
"""No image is ever pulled on a virtual node."""


def template(image: str, labels: dict[str, str], **spec: Any) -> Object:
    """Of one container, which ends within a second."""
    given = {"terminationGracePeriodSeconds": 1, "containers": [pods.container(image, name="web")], **spec}
    return {"metadata": {"labels": labels}, "spec": given}


@dataclass(frozen=True)
class Workload:
    space: Space
    resource: str
    name: str = "web"

    @property
    def path(self) -> str:
        return self.space.path(self.resource, self.name, group=GROUP)

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name}

    def create(self, image: str = FIRST_IMAGE, *, more: Object | None = None, **spec: Any) -> Object:
        """`more` belongs into the pods' spec."""
        given = {
            "selector": {"matchLabels": self.labels},
            "template": template(image, self.labels, **(more or {})),
            **spec,
        }
        kind = {"statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}[self.resource]
        obj = {"apiVersion": "apps/v1", "kind": kind, "spec": given}
        obj["metadata"] = {"name": self.name, "labels": self.labels}
        made: Object = self.space.rest.post(self.space.path(self.resource, group=GROUP), obj)
        return made

    def get(self) -> Object:
        found: Object = self.space.rest.get(self.path)
        return found

    def patch(self, **spec: Any) -> Object:
        done: Object = self.space.rest.patch(self.path, {"spec": spec})
        return done

    def use(self, image: str) -> None:
        """Change the template's image."""
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        self.space.rest.patch(self.path, patch, content_type="application/json-patch+json")

    def delete(self) -> None:
        self.space.rest.delete(self.path)
        self.space.rest.gone(self.path)

    def pods(self) -> list[Object]:
        """Those that are not being deleted, by their names."""
        selector = ",".join(f"{key}={value}" for key, value in self.labels.items())
        found = self.space.rest.get(self.space.path("pods"), labelSelector=selector)["items"]
        standing = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(standing, key=lambda pod: str(pod["metadata"]["name"]))

    def revisions(self) -> list[Object]:
        found = self.space.rest.get(self.space.path("controllerrevisions", group=GROUP))["items"]
        return sorted(found, key=lambda each: int(each["revision"]))

    def until(self, holds: Callable[[Object], object], *, what: str, timeout: float = 60) -> Object:
        """The workload when its controller has seen its last change and `holds` is true of it."""

        def probe() -> Object | None:
            found = self.get()
            seen = found["status"].get("observedGeneration", 0) >= found["metadata"]["generation"]
            assert seen, found["status"]
            assert holds(found), found["status"]
            return found

        return eventually(probe, what=f"{self.name} {what}", timeout=timeout)

    def set_ready(self, pod: str, ready: bool) -> None:
        """Break the readiness of a pod on a virtual node, or mend it, and wait until it shows."""
        self.mark_ready(pod, ready)
        self.space.until(pod, lambda found: pods.ready(found) is ready, what=f"has ready={ready}")

    def mark_ready(self, pod: str, ready: bool) -> None:
        value = None if ready else "false"
        patch = {"metadata": {"annotations": {READY: value}}}
        self.space.rest.patch(self.space.path("pods", pod), patch, content_type=MERGE)


def image_of(pod: Object) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def revision_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"]["controller-revision-hash"])


def names(found: list[Object]) -> list[str]:
    return [str(each["metadata"]["name"]) for each in found]


def shows_changes_of_its_status(workload: Workload) -> None:
    """What is put and what is patched into the status is seen by who watches."""
    rest, path = workload.space.rest, f"{workload.path}/status"
    with rest.watch(workload.space.path(workload.resource, group=GROUP)) as events:
        current = rest.get(path)
        current["status"]["conditions"] = [_condition("StatusUpdate")]
        rest.put(path, current)
        _seen(events, "StatusUpdate")
        rest.patch(path, {"status": {"conditions": [_condition("StatusPatched")]}}, content_type=MERGE)
        _seen(events, "StatusPatched")


def _condition(kind: str) -> Object:
    return {"type": kind, "status": "True", "reason": "E2E", "message": "Set from e2e test"}


def _seen(events: Iterator[Object], condition: str) -> None:
    for event in events:
        kinds = [each["type"] for each in event["object"]["status"].get("conditions", [])]
        if condition in kinds:
            return
    raise AssertionError(f"no event shows {condition}")
