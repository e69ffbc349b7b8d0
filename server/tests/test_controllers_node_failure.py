"""What happens to the pods of nodes that fall silent or are tainted, zone by zone, on a clock of its own."""

from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from kubeling.client.resources import EVENTS, LEASES, NODES, PODS, Resource
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers import Settings
from server.controllers.nodes.cidr_pool import CidrPool
from server.controllers.nodes.ttl import Lifetime
from server.tests.plane import Plane, started_plane

UNREACHABLE = "node.kubernetes.io/unreachable"


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        await plane.client.create(
            Resource("", "v1", "namespaces", "Namespace", namespaced=False),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-node-lease"}},
        )
        await plane.settle()
        yield plane


async def add_pod(plane: Plane, name: str, node: str = "n", **spec: object) -> None:
    containers = [{"name": "c", "image": "busybox"}]
    spec = {"nodeName": node, "containers": containers, **spec}
    await plane.create(PODS, {"metadata": {"name": name}, "spec": spec})
    await plane.set_pod(name)


async def beat(plane: Plane, *names: str) -> None:
    for name in names:
        lease: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": "kube-node-lease"},
            "spec": {"renewTime": meta.micro_timestamp(plane.clock.now())},
        }
        if plane.get(LEASES, name, namespace="kube-node-lease") is None:
            await plane.client.create(LEASES, lease)
        else:
            await plane.client.patch(LEASES, name, {"spec": lease["spec"]}, namespace="kube-node-lease")
    await plane.settle()


async def live(plane: Plane, *names: str, seconds: int) -> None:
    """Only these nodes show signs of life for so long."""
    for _ in range(seconds // 10):
        await beat(plane, *names)
        await plane.advance(10)


def taint(effect: str = "NoExecute", **more: object) -> Object:
    return {"key": "k", "value": "v", "effect": effect, **more}


def evicting(plane: Plane) -> set[str]:
    """The nodes that pods are to leave."""
    found = plane.list(NODES)
    return {
        meta.name(node)
        for node in found
        if any(taint["effect"] == "NoExecute" for taint in (node["spec"].get("taints") or ()))
    }


def messages(plane: Plane, reason: str) -> list[str]:
    return [event["message"] for event in plane.list(EVENTS) if event["reason"] == reason]


async def test_a_pod_that_does_not_tolerate_a_taint_is_evicted_at_once(plane: Plane) -> None:
    await plane.add_node()
    await add_pod(plane, "p")
    await plane.patch(NODES, "n", {"spec": {"taints": [taint("NoSchedule")]}})
    assert not meta.is_terminating(plane.get(PODS, "p") or {})
    await plane.patch(NODES, "n", {"spec": {"taints": [taint()]}})
    pod = plane.get(PODS, "p")
    assert pod is not None
    assert meta.is_terminating(pod)
    condition = conditions.find(pod, "DisruptionTarget")
    assert condition is not None
    assert condition["reason"] == "DeletionByTaintManager"
    assert condition["message"] == "Taint manager: deleting due to NoExecute taint"
    assert messages(plane, "TaintManagerEviction") == ["Marking for deletion Pod ns/p"]
    (event,) = [event for event in plane.list(EVENTS) if event["reason"] == "TaintManagerEviction"]
    assert event["source"] == {"component": "taint-eviction-controller"}


async def test_a_pod_stays_for_the_shortest_of_its_tolerations(plane: Plane) -> None:
    await plane.add_node()
    long = {"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 100}
    short = {"key": "other", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}
    await add_pod(plane, "p", tolerations=[long, short])
    await add_pod(plane, "forever", tolerations=[{"operator": "Exists"}])
    await plane.patch(NODES, "n", {"spec": {"taints": [taint(), {"key": "other", "effect": "NoExecute"}]}})
    await plane.advance(19)
    assert not meta.is_terminating(plane.get(PODS, "p") or {})
    await plane.advance(1)
    assert meta.is_terminating(plane.get(PODS, "p") or {})
    await plane.advance(10_000)
    assert not meta.is_terminating(plane.get(PODS, "forever") or {})


async def test_an_eviction_is_cancelled_when_the_taint_goes(plane: Plane) -> None:
    await plane.add_node()
    await add_pod(
        plane,
        "p",
        tolerations=[{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
    )
    await plane.patch(NODES, "n", {"spec": {"taints": [taint()]}})
    await plane.advance(30)
    await plane.patch(NODES, "n", {"spec": {"taints": None}})
    assert messages(plane, "TaintManagerEviction") == ["Cancelling deletion of Pod ns/p"]
    await plane.advance(100)
    assert not meta.is_terminating(plane.get(PODS, "p") or {})


async def test_a_pod_that_comes_to_a_tainted_node_is_evicted(plane: Plane) -> None:
    await plane.add_node()
    await plane.patch(NODES, "n", {"spec": {"taints": [taint()]}})
    await add_pod(plane, "p")
    assert meta.is_terminating(plane.get(PODS, "p") or {})


async def test_the_pods_of_a_silent_node_are_not_ready_and_leave_in_five_minutes(plane: Plane) -> None:
    await plane.add_node("a")
    await plane.add_node("b")
    await add_pod(plane, "p", "a")
    await live(plane, "b", seconds=60)
    assert conditions.find(plane.get(PODS, "p") or {}, "Ready")["status"] == "False"  # type: ignore[index]
    assert messages(plane, "NodeNotReady") == ["Node is not ready"]
    assert evicting(plane) == {"a"}
    await live(plane, "b", seconds=280)
    assert not meta.is_terminating(plane.get(PODS, "p") or {})
    await live(plane, "b", seconds=20)
    assert meta.is_terminating(plane.get(PODS, "p") or {})


async def test_nodes_are_emptied_one_in_ten_seconds(plane: Plane) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await plane.add_node(name)
    await live(plane, "c", "d", "e", seconds=50)
    assert len(evicting(plane)) == 1
    await live(plane, "c", "d", "e", seconds=10)
    assert evicting(plane) == {"a", "b"}


async def test_a_small_zone_that_is_mostly_silent_is_not_emptied_further(plane: Plane) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await plane.add_node(name)
    await live(plane, "a", "b", seconds=120)
    assert evicting(plane) == set()
    await plane.patch(NODES, "e", {"metadata": {"labels": {"topology.kubernetes.io/zone": "other"}}})
    await live(plane, "a", "b", seconds=50)
    assert evicting(plane) == {"e", "c", "d"}


async def test_nothing_is_emptied_when_all_nodes_are_silent(plane: Plane) -> None:
    for name in ("a", "b", "c"):
        await plane.add_node(name)
    await beat(plane, "b", "c")
    await plane.advance(10)
    await beat(plane, "c")
    await plane.advance(45)
    assert evicting(plane) == {"a"}
    await plane.advance(60)
    assert evicting(plane) == set()
    assert all(
        taint["effect"] == "NoSchedule" for node in plane.list(NODES) for taint in node["spec"]["taints"]
    )
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T01:00:00Z"}
    await plane.patch(NODES, "a", {"status": {"conditions": [ready]}}, subresource="status")
    await live(plane, "a", seconds=30)
    assert evicting(plane) == {"b", "c"}


async def test_a_renewed_lease_writes_nothing(plane: Plane) -> None:
    await plane.add_node()
    await live(plane, "n", seconds=10)
    before = plane.store.revision
    for _ in range(10):
        await beat(plane, "n")
        await plane.advance(10)
    assert plane.store.revision == before + 10


async def test_terminating_pods_of_a_node_out_of_service_go(plane: Plane) -> None:
    await plane.add_node("a")
    await plane.add_node("b")
    await add_pod(plane, "p", "a", tolerations=[{"operator": "Exists"}])
    await live(plane, "b", seconds=60)
    await plane.client.delete(PODS, "p", namespace="ns")
    await plane.settle()
    assert plane.get(PODS, "p")
    out = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    await plane.patch(NODES, "a", {"spec": {"taints": [out]}})
    assert plane.get(PODS, "p") is None


async def test_the_oldest_of_too_many_ended_pods_are_removed(tmp_path: Path) -> None:
    settings = Settings(certificate_authority="PEM", terminated_pod_threshold=2)
    async with started_plane(tmp_path, settings=settings) as plane:
        await plane.add_node()
        for name in ("c", "b", "a"):
            await add_pod(plane, name)
            await plane.set_pod(name, "Succeeded")
            await plane.advance(1)
        await plane.advance(20)
        assert {meta.name(pod) for pod in plane.list(PODS)} == {"a", "b"}


async def test_virtual_nodes_take_their_networks_from_elsewhere(plane: Plane) -> None:
    await plane.add_node("real")
    await plane.create(NODES, {"metadata": {"name": "v", "labels": {"kubeling.dev/virtual": "true"}}})
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    await plane.patch(NODES, "v", {"status": status}, subresource="status")
    assert (plane.get(NODES, "real") or {})["spec"]["podCIDR"] == "10.244.0.0/24"
    assert (plane.get(NODES, "v") or {})["spec"]["podCIDR"] == "100.64.0.0/24"


async def test_nodes_know_how_long_to_keep_what_they_read(plane: Plane) -> None:
    await plane.add_node()
    assert meta.annotations(plane.get(NODES, "n") or {})["node.alpha.kubernetes.io/ttl"] == "0"


def test_the_time_to_keep_things_follows_the_number_of_nodes() -> None:
    lifetime = Lifetime()
    for _ in range(101):
        lifetime.count("ADDED")
    assert lifetime.seconds == "15"
    for _ in range(11):
        lifetime.count("DELETED")
    assert lifetime.seconds == "15"
    lifetime.count("DELETED")
    assert lifetime.seconds == "0"


def test_a_pool_gives_each_part_once_and_again_when_it_is_back() -> None:
    pool = CidrPool(IPv4Network("10.0.0.0/22"), 24)
    pool.occupy("10.0.1.0/24")
    assert [pool.take() for _ in range(4)] == ["10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24", None]
    pool.release("10.0.2.0/24")
    pool.release("192.168.0.0/24")
    assert pool.take() == "10.0.2.0/24"
