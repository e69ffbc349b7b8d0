"""Nodes: their pod networks, their silence, their taints; and pods that lost their node."""

from collections.abc import AsyncIterator
from ipaddress import IPv4Network

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS, NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.controllers import Settings, start_controllers

SETTINGS = Settings(pod_network=IPv4Network("10.244.0.0/22"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(clock=clock)
    controllers = start_controllers(client, clock=clock, settings=SETTINGS)
    yield client
    await controllers.stop()
    await client.close()


def node(name: str, ready: str = "True") -> Object:
    condition = {"type": "Ready", "status": ready, "reason": "KubeletReady"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {},
        "status": {"conditions": [condition]},
    }


def stored_node(client: FakeClient, name: str) -> Object:
    found = client.stored(NODES, name)
    assert found is not None
    return found


async def renew(client: FakeClient, clock: FakeClock, name: str) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease"},
        "spec": {"renewTime": meta.micro_timestamp(clock.now())},
    }
    client.put(lease)
    await clock.advance(10)


def taints(client: FakeClient, name: str) -> list[tuple[str, str]]:
    found = stored_node(client, name)["spec"].get("taints") or []
    return [(taint["key"].removeprefix("node.kubernetes.io/"), taint["effect"]) for taint in found]


async def test_each_node_gets_a_network_of_its_own(client: FakeClient, clock: FakeClock) -> None:
    for name in ("a", "b", "c", "d"):
        client.put(node(name))
    await clock.advance(1)
    networks = {stored_node(client, name)["spec"]["podCIDR"] for name in ("a", "b", "c", "d")}
    assert networks == {f"10.244.{number}.0/24" for number in range(4)}
    assert stored_node(client, "a")["spec"]["podCIDRs"] == [stored_node(client, "a")["spec"]["podCIDR"]]


async def test_a_node_that_is_only_a_name_gets_no_network_yet(client: FakeClient, clock: FakeClock) -> None:
    client.put({**node("a"), "status": {"capacity": {"memory": "1Gi"}}})
    await clock.advance(1)
    assert "podCIDR" not in stored_node(client, "a")["spec"]
    client.put(node("a"))
    await clock.advance(1)
    assert stored_node(client, "a")["spec"]["podCIDR"] == "10.244.0.0/24"


async def test_a_network_is_given_again_when_its_node_has_gone(client: FakeClient, clock: FakeClock) -> None:
    for name in ("a", "b", "c", "d", "e"):
        client.put(node(name))
    await clock.advance(1)
    assert "podCIDR" not in stored_node(client, "e")["spec"]
    freed = stored_node(client, "b")["spec"]["podCIDR"]
    client.remove(NODES, "b")
    await clock.advance(30)
    assert stored_node(client, "e")["spec"]["podCIDR"] == freed


async def test_a_node_that_renews_its_lease_stays_ready(client: FakeClient, clock: FakeClock) -> None:
    client.put(node("a"))
    for _ in range(12):
        await renew(client, clock, "a")
    assert conditions.is_true(stored_node(client, "a"), "Ready")
    assert taints(client, "a") == []


async def test_a_silent_node_becomes_unknown_and_is_tainted(client: FakeClient, clock: FakeClock) -> None:
    client.put(node("a"))
    await renew(client, clock, "a")
    await clock.advance(38)
    client.put(node("b"))
    await clock.advance(1)
    assert conditions.is_true(stored_node(client, "a"), "Ready")
    await clock.advance(2)
    ready = conditions.find(stored_node(client, "a"), "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert ready["message"] == "Kubelet stopped posting node status."
    pressure = conditions.find(stored_node(client, "a"), "MemoryPressure")
    assert pressure is not None
    assert pressure["reason"] == "NodeStatusNeverUpdated"
    assert pressure["lastHeartbeatTime"] == stored_node(client, "a")["metadata"]["creationTimestamp"]
    assert taints(client, "a") == [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]


async def test_a_node_that_comes_back_loses_its_taints(client: FakeClient, clock: FakeClock) -> None:
    client.put(node("a"))
    await clock.advance(60)
    assert taints(client, "a")
    await client.patch(NODES, "a", node("a"), subresource="status")
    await renew(client, clock, "a")
    assert taints(client, "a") == []


async def test_a_node_that_says_it_is_not_ready_is_tainted(client: FakeClient, clock: FakeClock) -> None:
    client.put(node("b"))
    client.put(node("a", ready="False"))
    await clock.advance(1)
    assert taints(client, "a") == [("not-ready", "NoExecute"), ("not-ready", "NoSchedule")]


async def test_a_new_node_stays_tainted_until_it_is_ready(client: FakeClient, clock: FakeClock) -> None:
    new = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    client.put(node("a") | {"spec": {"taints": [new]}, "status": {}})
    await clock.advance(1)
    assert taints(client, "a") == [("not-ready", "NoSchedule")]
    await client.patch(NODES, "a", node("a"), subresource="status")
    await clock.advance(1)
    assert taints(client, "a") == []


async def test_a_cordoned_node_is_tainted_and_other_taints_stay(client: FakeClient, clock: FakeClock) -> None:
    own = {"key": "mine", "effect": "NoSchedule"}
    client.put(node("a") | {"spec": {"unschedulable": True, "taints": [own]}})
    await clock.advance(1)
    assert taints(client, "a") == [("mine", "NoSchedule"), ("unschedulable", "NoSchedule")]


async def test_nodes_come_and_go_with_events(client: FakeClient, clock: FakeClock) -> None:
    client.put(node("a"))
    await clock.advance(1)
    client.remove(NODES, "a")
    await clock.advance(1)
    messages = [event["message"] for event in (await client.list(EVENTS)).items]
    assert messages == [
        "Node a event: Registered Node a in Controller",
        "Node a event: Removing Node a from Controller",
    ]


def pod(name: str, **spec: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": spec,
        "status": {"phase": "Running"},
    }


async def test_pods_of_a_node_that_is_gone_are_deleted_after_a_while(
    client: FakeClient, clock: FakeClock
) -> None:
    client.put(node("a"))
    client.put(pod("p", nodeName="a"))
    await clock.advance(100)
    client.remove(NODES, "a")
    await clock.advance(39)
    assert client.stored(PODS, "p", namespace="ns")
    await clock.advance(2)
    assert client.stored(PODS, "p", namespace="ns") is None
    (failed,) = [each for each in client.writes() if each.subresource == "status" and each.resource == PODS]
    assert failed.body["status"]["phase"] == "Failed"
    assert failed.body["status"]["conditions"][0]["reason"] == "DeletionByPodGC"


async def test_pods_are_spared_when_their_node_comes_back(client: FakeClient, clock: FakeClock) -> None:
    client.put(pod("p", nodeName="a"))
    await clock.advance(30)
    client.put(node("a"))
    await clock.advance(60)
    assert client.stored(PODS, "p", namespace="ns")


async def test_a_terminating_pod_without_a_node_is_deleted(client: FakeClient, clock: FakeClock) -> None:
    terminating = pod("p")
    terminating["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    client.put(terminating)
    await clock.advance(0)
    assert client.stored(PODS, "p", namespace="ns") is None


async def test_events_expire_an_hour_after_they_last_happened(client: FakeClient, clock: FakeClock) -> None:
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "ns"}}
    client.put(event)
    await clock.advance(1800)
    client.put(event | {"lastTimestamp": meta.timestamp(clock.now()), "count": 2})
    await clock.advance(3599)
    assert client.stored(EVENTS, "e", namespace="ns")
    await clock.advance(1)
    assert client.stored(EVENTS, "e", namespace="ns") is None
