"""Random operations on random workloads while processes die: in the end everything is as the objects say.

That nodes are lost for long, and many more orders of events, is tested on a clock that can be moved
(`kubeling/tests/test_chaos.py`).
"""

import random
from collections.abc import Iterator

import pytest
import urllib3

from conformance import cluster as clusters
from conformance import processes
from conformance.chaos import Moody, Operation
from conformance.cluster import Cluster
from conformance.converged import KINDS, State, violations
from conformance.rest import STRATEGIC, Object, Rest
from conformance.space import Space, opened
from conformance.waiting import eventually

NODES = 4
STEPS = 80
DEATHS = {15: "server", 30: "virtual", 50: "server", 65: "virtual"}
LOST = range(10, 60)
"""The steps during which one node is silent."""
REST = 90
"""Seconds until all must be at rest."""


@pytest.fixture(scope="module")
def doomed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose processes may be killed."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("only processes that the suite itself has started are killed")
    with clusters.started(tmp_path_factory.mktemp("chaos"), virtual_nodes=NODES) as cluster:
        yield cluster


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_objects_say_comes_about(doomed: Cluster, seed: int) -> None:
    rest = processes.answering(doomed)
    with opened(rest, "app") as space:
        moody = Moody(random.Random(seed), image="app", pods=lambda: _pods(space))
        done = [_step(doomed, space, moody, step) for step in range(STEPS)]
        processes.answering(doomed)
        history = "\n".join(done)

        def at_rest() -> bool:
            found = violations(_state(space))
            assert not found, "\n".join([*found, "after:", history])
            return True

        eventually(at_rest, what=f"seed {seed} is at rest", timeout=REST, every=0.5)
        _no_pod_too_many(space)


def _step(cluster: Cluster, space: Space, moody: Moody, step: int) -> str:
    if step in (LOST.start, LOST.stop):
        lost = "true" if step == LOST.start else None
        annotations = {"virtual.kubeling.dev/lost": lost}
        space.rest.patch("/api/v1/nodes/virtual-1", {"metadata": {"annotations": annotations}})
    if step in DEATHS:
        processes.kill(cluster, DEATHS[step])
    operation = moody.next()
    return f"{step}: {operation}: {_do(space, operation)}"


def _do(space: Space, operation: Operation) -> object:
    """The answer's code; while the server is away, the same again."""
    group = KINDS[operation.resource]
    name = "" if operation.verb == "create" else operation.name
    path = space.path(operation.resource, name, group=group)
    method = {"create": "POST", "patch": "PATCH", "delete": "DELETE"}[operation.verb]
    content = STRATEGIC if method == "PATCH" else ""

    def attempt() -> int | None:
        try:
            code = space.rest.request(method, path, operation.body, content_type=content).code
        except urllib3.exceptions.HTTPError:
            return None
        assert code in (200, 201, 202, 404, 409), f"{operation} is answered {code}"
        return code

    return eventually(attempt, what=f"the server takes {operation}", every=0.05)


def _pods(space: Space) -> list[str]:
    def names() -> list[str] | None:
        try:
            pods = space.rest.get(space.path("pods"))["items"]
        except urllib3.exceptions.HTTPError:
            return None
        return [pod["metadata"]["name"] for pod in pods] or [""]

    return [name for name in eventually(names, what="pods are listed", every=0.05) if name]


def _state(space: Space) -> State:
    def items(resource: str) -> list[Object]:
        found: list[Object] = space.rest.get(space.path(resource, group=KINDS[resource]))["items"]
        return found

    return State({resource: items(resource) for resource in KINDS}, NODES)


def _no_pod_too_many(space: Space) -> None:
    """At rest nothing is written any more: nobody makes and deletes the same in a circle."""

    def revisions() -> dict[str, str]:
        return {
            f"{resource}/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"]
            for resource, objects in _state(space).objects.items()
            for obj in objects
        }

    before, leases = revisions(), _renewals(space.rest)
    eventually(lambda: _renewals(space.rest) != leases, what="a node says that it lives")
    assert revisions() == before


def _renewals(rest: Rest) -> list[str]:
    leases = rest.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")["items"]
    return [each["spec"]["renewTime"] for each in leases]
