"""The scheduler against a fake server: bindings, events, conditions, and what happens in between."""

from collections.abc import AsyncIterator

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS, NODES, PODS
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import InternalError
from kubeling.objects.meta import Object
from server.scheduler import start_scheduler


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(clock=clock)
    scheduler = start_scheduler(client, clock=clock)
    await clock.advance(0)
    yield client
    await scheduler.stop()
    await client.close()


def node(name: str = "n1", cpu: str = "1", **spec: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": "1Gi", "pods": "10"}},
    }


def pod(name: str, cpu: str = "", **spec: object) -> Object:
    requests = {"cpu": cpu} if cpu else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "generation": 1},
        "spec": {"containers": [{"name": "c", "resources": {"requests": requests}}], **spec},
    }


def placed(client: FakeClient, name: str) -> str | None:
    found = client.stored(PODS, name, namespace="ns")
    assert found is not None
    node_name: str | None = found["spec"].get("nodeName")
    return node_name


async def events(client: FakeClient) -> list[Object]:
    return (await client.list(EVENTS)).items


async def test_a_pod_is_bound_and_an_event_says_so(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    client.put(pod("p"))
    await clock.advance(0)
    assert placed(client, "p") == "n1"
    (event,) = await events(client)
    assert event["reason"] == "Scheduled"
    assert event["message"] == "Successfully assigned ns/p to n1"
    assert (event["reportingComponent"], event["action"]) == ("default-scheduler", "Binding")
    assert clock.monotonic() == 0


async def test_a_pod_that_fits_nowhere_is_told_why(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    client.put(pod("p", cpu="2"))
    await clock.advance(0)
    found = client.stored(PODS, "p", namespace="ns")
    assert found is not None
    condition = conditions.find(found, "PodScheduled")
    assert condition == {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": (
            "0/1 nodes are available: 1 Insufficient cpu. "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        ),
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    (event,) = await events(client)
    assert (event["type"], event["reason"]) == ("Warning", "FailedScheduling")
    assert event["message"] == condition["message"]


async def test_pods_decided_in_one_go_do_not_overcommit(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    for name in ("a", "b", "c"):
        client.put(pod(name, cpu="400m"))
    await clock.advance(0)
    assert sorted(str(placed(client, name)) for name in ("a", "b", "c")) == ["None", "n1", "n1"]


async def test_room_that_becomes_free_is_used(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    client.put(pod("a", cpu="1"))
    await clock.advance(0)
    client.put(pod("b", cpu="1"))
    await clock.advance(5)
    client.remove(PODS, "a", namespace="ns")
    await clock.advance(0)
    assert placed(client, "b") == "n1"


async def test_a_finished_pod_leaves_its_room(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    client.put(pod("a", cpu="1"))
    client.put(pod("b", cpu="1"))
    await clock.advance(5)
    first, second = ("a", "b") if placed(client, "a") else ("b", "a")
    await client.patch(PODS, first, {"status": {"phase": "Succeeded"}}, namespace="ns", subresource="status")
    await clock.advance(0)
    assert placed(client, second) == "n1"


async def test_a_new_node_takes_waiting_pods(client: FakeClient, clock: FakeClock) -> None:
    client.put(pod("p"))
    await clock.advance(2)
    assert placed(client, "p") is None
    client.put(node())
    await clock.advance(0)
    assert placed(client, "p") == "n1"


async def test_a_taint_that_goes_wakes_waiting_pods(client: FakeClient, clock: FakeClock) -> None:
    client.put(node(taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]))
    client.put(pod("p"))
    await clock.advance(2)
    client.put(node())
    await clock.advance(0)
    assert placed(client, "p") == "n1"


async def test_pods_that_are_not_for_this_scheduler_are_left_alone(
    client: FakeClient, clock: FakeClock
) -> None:
    client.put(node())
    client.put(pod("other", schedulerName="custom"))
    client.put(pod("gated", schedulingGates=[{"name": "example.com/wait"}]))
    terminating = pod("terminating")
    terminating["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    client.put(terminating)
    await clock.advance(400)
    assert [placed(client, name) for name in ("other", "gated", "terminating")] == [None, None, None]
    assert await events(client) == []


async def test_a_pod_is_scheduled_when_its_gates_open(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    client.put(pod("p", schedulingGates=[{"name": "example.com/wait"}]))
    await clock.advance(1)
    client.put(pod("p"))
    await clock.advance(0)
    assert placed(client, "p") == "n1"


async def test_a_failed_binding_frees_the_room_and_is_tried_again(
    client: FakeClient, clock: FakeClock
) -> None:
    client.put(node())
    client.fail("create", InternalError("broken"), resource=PODS)
    client.put(pod("p", cpu="1"))
    await clock.advance(0.5)
    assert placed(client, "p") is None
    assert 'running Bind plugin "DefaultBinder": broken' in [
        event["message"] for event in await events(client)
    ]
    await clock.advance(0.5)
    assert placed(client, "p") == "n1"


async def test_pods_bound_elsewhere_are_counted(client: FakeClient, clock: FakeClock) -> None:
    client.put(pod("static", cpu="800m", nodeName="n1"))
    client.put(node())
    client.put(pod("p", cpu="300m"))
    await clock.advance(0)
    assert placed(client, "p") is None
    client.remove(NODES, "n1")
    client.put(node("n2"))
    await clock.advance(1)
    assert placed(client, "p") == "n2"


async def test_nothing_happens_while_nothing_happens(client: FakeClient, clock: FakeClock) -> None:
    client.put(node())
    client.put(pod("p"))
    await clock.advance(1)
    before = len(client.requests)
    await clock.advance(10_000)
    assert clock.sleepers == 0
    assert len(client.requests) == before
