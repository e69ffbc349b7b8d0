"""Many pods at once on one node: they come, they do not notice that the agent died, they go, nothing is left.

With --pods 108 as many as a node takes.
"""

import pytest

from conformance import processes
from conformance.cluster import Cluster
from conformance.leaks import nothing_left
from conformance.pods import ready
from conformance.space import Object, Space
from conformance.waiting import eventually

PATIENCE = 240


@pytest.mark.timeout(900)
def test_many_pods_come_stay_and_go(fragile: Cluster, room: Space, request: pytest.FixtureRequest) -> None:
    names = [f"pod-{number}" for number in range(request.config.getoption("--pods"))]
    with nothing_left(fragile, timeout=60) as known:
        known += [room.run(name, restartPolicy="Always") for name in names]
        eventually(lambda: len(_ready(room)) > len(names), what="all are ready", timeout=PATIENCE)
        before = _ready(room)
        processes.kill(fragile, "runtime")
        room.run("afterwards")
        room.ready("afterwards", timeout=PATIENCE)
        after = _ready(room)
        assert {name: after[name] for name in before} == before, "what was known was not told again"
        room.rest.request("DELETE", room.path("pods"), gracePeriodSeconds=1)
        eventually(lambda: not _pods(room), what="all are gone", timeout=PATIENCE)


def _pods(room: Space) -> list[Object]:
    found: list[Object] = room.rest.get(room.path("pods"))["items"]
    return found


def _ready(room: Space) -> dict[str, str]:
    """The versions of those that are ready."""
    return {pod["metadata"]["name"]: pod["metadata"]["resourceVersion"] for pod in _pods(room) if ready(pod)}
