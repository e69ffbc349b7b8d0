"""Pods from create to Ready and from delete to gone, in turn with the same through CRI alone.

Not here: the table (`bench.node`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.cri import Runtime
from conformance import pods
from conformance.kubectl import Kubectl
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
_GROUP = "apis/apps/v1"
_NAME = "bench"


def one_pod(runtime: Runtime, space: Space, kubectl: Kubectl, *, rounds: int) -> dict[str, list[float]]:
    """Seconds, by the way. The first round warms up and does not count; each way follows each other one."""

    def run(name: str) -> None:
        kubectl("run", name, f"--image={space.image}", "--restart=Never", "--", "sh", "-c", pods.IDLE)

    ways: dict[str, Callable[[int], float]] = {
        "CRI alone": runtime.start,
        "API": lambda number: _until_ready(runtime, space, f"api-{number}", space.run),
        "kubectl run": lambda number: _until_ready(runtime, space, f"kubectl-{number}", run),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            took = ways[name](number)
            seconds[name] += [took] if number else []
    return seconds


def many_pods(runtime: Runtime, space: Space, count: int, *, rounds: int) -> dict[str, list[float]]:
    """Seconds to start so many, and to remove them, through CRI alone and as a Deployment."""
    seconds: dict[str, list[float]] = {"CRI start": [], "CRI removal": [], "start": [], "removal": []}
    space.create(deployment(space, 1), "deployments", group=_GROUP)
    _watch_until(space, lambda found: _ready(found) == 1, lambda: None)
    for _ in range(rounds):
        start, removal = runtime.many(count)
        seconds["CRI start"].append(start)
        seconds["CRI removal"].append(removal)
        seconds["start"].append(scale(space, count))
        seconds["removal"].append(scale(space, 0))
        eventually(lambda: not runtime.sandboxes(space.name), what="no sandbox is left")
        scale(space, 1)
    space.rest.delete(space.path("deployments", _NAME, group=_GROUP))
    return seconds


def deployment(space: Space, replicas: int) -> Object:
    labels = {"app": _NAME}
    spec = pods.pod(_NAME, pods.container(space.image), restartPolicy="Always")["spec"]
    template = {"metadata": {"labels": labels}, "spec": spec}
    said = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": _NAME}, "spec": said}


def scale(space: Space, replicas: int) -> float:
    """Seconds from before the request until so many are Ready, and no other is there."""
    path = space.path("deployments", _NAME, group=_GROUP) + "/scale"
    return _watch_until(
        space,
        lambda found: len(found) == replicas == _ready(found),
        lambda: space.rest.patch(path, {"spec": {"replicas": replicas}}),
    )


def _ready(found: dict[str, Object]) -> int:
    return sum(pods.ready(pod) for pod in found.values())


def _watch_until(
    space: Space, reached: Callable[[dict[str, Object]], bool], begin: Callable[[], object]
) -> float:
    """Seconds from before `begin` until the namespace's pods, by name, are as they should be."""
    listed = space.rest.get(space.path("pods"))
    found = {pod["metadata"]["name"]: pod for pod in listed["items"]}
    with _events(space, listed["metadata"]["resourceVersion"]) as events:
        began = time.perf_counter()
        begin()
        while not reached(found):
            event = next(events)
            name = event["object"]["metadata"]["name"]
            found.pop(name, None)
            if event["type"] != "DELETED":
                found[name] = event["object"]
        return time.perf_counter() - began


def _until_ready(runtime: Runtime, space: Space, name: str, create: Callable[[str], object]) -> float:
    took = _watch_until(space, lambda found: name in found and pods.ready(found[name]), lambda: create(name))
    space.remove_pod(name)
    eventually(lambda: not runtime.sandboxes(space.name), what="no sandbox is left")
    return took


@contextmanager
def _events(space: Space, since: str) -> Iterator[Iterator[Object]]:
    with space.rest.watch(space.path("pods"), resourceVersion=since, timeout=120) as events:
        yield events
