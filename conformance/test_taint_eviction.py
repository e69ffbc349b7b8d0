"""NoExecute taints: pods leave when their time there is up, and stay when the taint has gone by then.

Each test taints a node, on which nothing else runs meanwhile, and takes the taints off again.
"""

from collections.abc import Iterator

import pytest

from conformance import pods
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

KEY = "kubernetes.io/e2e-evict-taint-key"


@pytest.fixture
def node(virtual_space: Space) -> Iterator[str]:
    """The name of a node that takes pods, without the taint before and after."""
    rest = virtual_space.rest
    name = rest.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    yield name
    rest.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})


def test_a_pod_without_a_toleration_goes_at_once(virtual_space: Space, node: str) -> None:
    running(virtual_space, "p", node)
    taint(virtual_space.rest, node)
    event = virtual_space.event("p", "TaintManagerEviction")
    assert event["message"] == f"Marking for deletion Pod {virtual_space.name}/p"
    assert event["source"]["component"] == "taint-eviction-controller"
    virtual_space.rest.gone(virtual_space.path("pods", "p"))


def test_the_shortest_toleration_counts(virtual_space: Space, node: str) -> None:
    """Two pods: one may stay for a second, one for ever; a finalizer shows why the first one went."""
    running(virtual_space, "short", node, toleration(1))
    running(virtual_space, "long", node, toleration(None))
    virtual_space.rest.patch(
        virtual_space.path("pods", "short"), {"metadata": {"finalizers": ["example.com/keep"]}}
    )
    taint(virtual_space.rest, node)
    going = virtual_space.until(
        "short", lambda pod: pod["metadata"].get("deletionTimestamp"), what="is being deleted"
    )
    condition = pods.condition(going, "DisruptionTarget")
    assert (condition["status"], condition["reason"]) == ("True", "DeletionByTaintManager")
    assert condition["message"] == "Taint manager: deleting due to NoExecute taint"
    assert "deletionTimestamp" not in virtual_space.pod("long")["metadata"]
    virtual_space.rest.patch(virtual_space.path("pods", "short"), {"metadata": {"finalizers": None}})


def test_removing_the_taint_cancels_the_eviction(virtual_space: Space, node: str) -> None:
    running(virtual_space, "p", node, toleration(60))
    running(virtual_space, "witness", node)
    taint(virtual_space.rest, node)
    virtual_space.rest.gone(virtual_space.path("pods", "witness"))
    virtual_space.rest.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": None}})
    event = virtual_space.event("p", "TaintManagerEviction")
    assert event["message"] == f"Cancelling deletion of Pod {virtual_space.name}/p"
    assert "deletionTimestamp" not in virtual_space.pod("p")["metadata"]


def running(space: Space, name: str, node: str, *tolerations: Object) -> None:
    space.run_ready(name, nodeName=node, tolerations=list(tolerations))


def toleration(seconds: int | None) -> Object:
    time = {} if seconds is None else {"tolerationSeconds": seconds}
    return {"key": KEY, "operator": "Equal", "value": "evictTaintVal", "effect": "NoExecute", **time}


def taint(rest: Rest, node: str) -> None:
    body = {"key": KEY, "value": "evictTaintVal", "effect": "NoExecute"}
    rest.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": [body]}})
    eventually(lambda: rest.get(f"/api/v1/nodes/{node}")["spec"]["taints"], what="the node is tainted")
