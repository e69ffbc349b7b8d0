"""A namespace of a test's own, and the verbs that tests say most often within it.

Not here: clients under test; what stands here speaks plain HTTPS.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from conformance import pods, toolimage
from conformance.absence import absent
from conformance.rest import Rest
from conformance.waiting import eventually

Object = dict[str, Any]


@dataclass(frozen=True)
class Space:
    rest: Rest
    name: str
    image: str
    tool_image: str = ""

    @property
    def tools(self) -> str:
        """The image with the tools (`conformance.toolimage`); the test ends here where there is none."""
        return self.tool_image or absent(toolimage.lacking() or "the cluster has no image with the tools")

    def path(self, resource: str, name: str = "", *, group: str = "api/v1") -> str:
        base = f"/{group}/namespaces/{self.name}/{resource}"
        return f"{base}/{name}" if name else base

    def create(self, obj: Object, resource: str = "pods", *, group: str = "api/v1") -> Object:
        created: Object = self.rest.post(self.path(resource, group=group), obj)
        return created

    def config_map(self, name: str, **data: str) -> Object:
        return self.create(pods.config_map(name, data), "configmaps")

    def secret(self, name: str, **data: str) -> Object:
        return self.create(pods.secret(name, data), "secrets")

    def pod(self, name: str) -> Object:
        found: Object = self.rest.get(self.path("pods", name))
        return found

    def run(
        self, name: str, script: str = pods.IDLE, *, container: Object | None = None, **spec: Any
    ) -> Object:
        """Creates a pod of one container and does not wait."""
        main = pods.container(self.image, script, **(container or {}))
        return self.create(pods.pod(name, main, **spec))

    def run_ready(self, name: str, script: str = pods.IDLE, **more: Any) -> Object:
        self.run(name, script, **more)
        return self.ready(name)

    def run_until_it_says(self, word: str, name: str, script: str, **more: Any) -> Object:
        """The pod, ready, when its log holds `word`: its script has come so far."""
        pod = self.run_ready(name, script, **more)
        eventually(lambda: word in self.log(name), what=f"{name} says {word!r}")
        return pod

    def run_through(self, name: str, script: str, **more: Any) -> str:
        """The log of a pod that must succeed."""
        self.run(name, script, **more)
        self.phase(name, "Succeeded")
        return self.log(name)

    def run_all(self, name: str, *containers: Object, **spec: Any) -> dict[str, str]:
        """The logs, by container, of a pod whose containers must all succeed."""
        self.create(pods.pod(name, *containers, **spec))
        self.phase(name, "Succeeded")
        return {each["name"]: self.log(name, container=each["name"]) for each in containers}

    def ready(self, name: str, *, timeout: float = 30) -> Object:
        return self.until(name, pods.ready, what="is Ready", timeout=timeout)

    def phase(self, name: str, phase: str, *, timeout: float = 30) -> Object:
        reached: Callable[[Object], bool] = lambda pod: pod["status"].get("phase") == phase  # noqa: E731
        return self.until(name, reached, what=f"has phase {phase}", timeout=timeout)

    def until(
        self, name: str, holds: Callable[[Object], object], *, what: str, timeout: float = 30
    ) -> Object:
        """The pod as it is when `holds` is true of it."""

        def probe() -> Object | None:
            pod = self.pod(name)
            assert holds(pod), json.dumps(pod.get("status"))
            return pod

        return eventually(probe, what=f"pod {name} {what}", timeout=timeout)

    def log(self, name: str, **query: Any) -> str:
        response = self.rest.request("GET", self.path("pods", name) + "/log", **query)
        assert response.code == 200, str(response)
        return response.text

    def events(self, involved: str) -> list[Object]:
        selector = f"involvedObject.name={involved}"
        found: list[Object] = self.rest.get(self.path("events"), fieldSelector=selector)["items"]
        return found

    def event(self, involved: str, reason: str, *, timeout: float = 30) -> Object:
        """The first event of that reason, as soon as there is one."""

        def probe() -> Object | None:
            events = self.events(involved)
            found = [event for event in events if event["reason"] == reason]
            assert found, [(event["reason"], event.get("message")) for event in events]
            return found[0]

        return eventually(probe, what=f"{involved} has an event {reason}", timeout=timeout)

    def remove_pod(self, name: str, *, grace: int = 0) -> None:
        self.rest.delete(self.path("pods", name), gracePeriodSeconds=grace)
        self.rest.gone(self.path("pods", name))


@contextmanager
def opened(rest: Rest, image: str, tools: str = "") -> Iterator[Space]:
    """A namespace in which pods may be created; its removal is asked for, not waited for."""
    created = rest.post("/api/v1/namespaces", _namespace())
    space = Space(rest, created["metadata"]["name"], image, tools)
    for resource, name in (("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")):
        path = space.path(resource, name)
        eventually(partial(_there, rest, path), what=f"{path} is there", every=0.02)
    try:
        yield space
    finally:
        rest.request("DELETE", space.path("pods"), gracePeriodSeconds=0)
        rest.request("DELETE", f"/api/v1/namespaces/{space.name}")


def _there(rest: Rest, path: str) -> bool:
    return rest.request("GET", path).code == 200


def _namespace() -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "conformance-"}}
