"""Pods that were bound to a node past the scheduler: what the node takes, and how it says no."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(scope="module")
def node(shared_space: Space) -> Object:
    nodes: list[Object] = shared_space.rest.get("/api/v1/nodes")["items"]
    return nodes[0]


def bind(space: Space, node: Object, name: str, *, container: Object | None = None, **spec: Any) -> None:
    space.run(name, container=container, nodeName=node["metadata"]["name"], **spec)


def rejected(space: Space, name: str, reason: str) -> str:
    """Why; the pod has failed, and nothing of it was begun."""
    status: Object = space.phase(name, "Failed")["status"]
    assert status["reason"] == reason
    assert not [each for each in status.get("containerStatuses") or [] if each.get("containerID")]
    prefix, _, message = status["message"].partition("Pod was rejected: ")
    assert not prefix
    assert space.event(name, reason)["message"] == message
    found: str = message
    return found


@pytest.mark.parametrize(
    ("resource", "amount", "requested"),
    [("cpu", "1k", 1_000_000), ("memory", "100Ti", 100 * 2**40), ("ephemeral-storage", "100Ti", 100 * 2**40)],
    ids=["cpu", "memory", "ephemeral-storage"],
)
def test_more_than_the_node_has(
    space: Space, node: Object, resource: str, amount: str, requested: int
) -> None:
    bind(space, node, "large", container={"resources": {"requests": {resource: amount}}})
    message = rejected(space, "large", f"OutOf{resource}")
    assert message.startswith(f"Node didn't have enough resource: {resource}, requested: {requested}, used: ")


def test_the_class_of_service_outlives_a_rejection(space: Space, node: Object) -> None:
    """As upstream's test: unschedulable first, then bound all the same."""
    space.run("late", container={"resources": {"requests": {"cpu": "1k"}}})
    unscheduled = lambda pod: pods.condition(pod, "PodScheduled").get("status") == "False"  # noqa: E731
    before = space.until("late", unscheduled, what="is unschedulable")
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "late", "uid": before["metadata"]["uid"]},
        "target": {"kind": "Node", "name": node["metadata"]["name"]},
    }
    space.rest.post(space.path("pods", "late") + "/binding", binding)
    rejected(space, "late", "OutOfcpu")
    assert space.pod("late")["status"]["qosClass"] == before["status"]["qosClass"]


def test_a_node_that_the_pod_does_not_select(space: Space, node: Object) -> None:
    bind(space, node, "stray", nodeSelector={"kubeling.test/none": "x"})
    message = rejected(space, "stray", "NodeAffinity")
    assert message == "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"


def test_another_operating_system(space: Space, node: Object) -> None:
    bind(space, node, "windows", os={"name": "windows"})
    assert rejected(space, "windows", "PodOSNotSupported").startswith("Failed to admit pod as the OS field")


def test_a_port_that_is_taken(space: Space, node: Object) -> None:
    ports = {"ports": [{"containerPort": 80, "hostPort": 18_431, "hostIP": "127.0.0.1"}]}
    bind(space, node, "first", container=ports)
    space.ready("first")
    bind(space, node, "second", container=ports)
    rejected(space, "second", "NodePorts")


@pytest.fixture
def labelled(space: Space, node: Object) -> Iterator[str]:
    """A label that the node has only now."""
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    space.rest.patch(path, {"metadata": {"labels": {"kubeling.test/late": "yes"}}})
    yield "kubeling.test/late"
    space.rest.patch(path, {"metadata": {"labels": {"kubeling.test/late": None}}})


def test_a_label_that_the_node_has_just_got_counts(space: Space, node: Object, labelled: str) -> None:
    bind(space, node, "prompt", nodeSelector={labelled: "yes"})
    space.ready("prompt")


@pytest.fixture
def extended(space: Space, node: Object) -> Iterator[str]:
    """Two pieces of a resource that only this node has."""
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    space.rest.patch(path + "/status", {"status": {"capacity": {"kubeling.test/piece": "2"}}})

    def offered() -> bool:
        return "kubeling.test/piece" in space.rest.get(path)["status"]["allocatable"]

    eventually(offered, what="the node offers the resource")
    yield "kubeling.test/piece"
    space.rest.patch(path + "/status", {"status": {"capacity": {"kubeling.test/piece": None}}})


def pieces(resource: str, count: str) -> Object:
    return {"resources": {"requests": {resource: count}, "limits": {resource: count}}}


def test_a_critical_pod_lets_others_go(space: Space, node: Object, extended: str) -> None:
    bind(space, node, "held", container=pieces(extended, "2"))
    space.ready("held")
    bind(space, node, "plain", container=pieces(extended, "1"))
    message = rejected(space, "plain", f"OutOf{extended}")
    wanted = f"Node didn't have enough resource: {extended}, requested: 1, used: 2, capacity: 2"
    assert message == wanted
    bind(space, node, "critical", container=pieces(extended, "1"), priorityClassName="system-node-critical")
    space.ready("critical")
    held = space.phase("held", "Failed")
    assert pods.condition(held, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    status = held["status"]
    assert (status["reason"], status["message"]) == (
        "Preempting",
        "Preempted in order to admit critical pod",
    )


def test_room_that_an_ended_pod_leaves_can_be_had_at_once(space: Space, node: Object, extended: str) -> None:
    for number in range(3):
        bind(space, node, f"job-{number}", container={**pieces(extended, "2"), "command": ["true"]})
        space.phase(f"job-{number}", "Succeeded")
