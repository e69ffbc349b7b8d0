"""The in-process client over a real registry and store, and the control plane working through it."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kubeling.client.resources import CONFIGMAPS, EVENTS, NAMESPACES, NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock, SystemClock
from kubeling.objects.errors import AlreadyExists, Conflict, NotFound
from kubeling.objects.meta import Object
from server.controllers import Settings, start_controllers
from server.inprocess import LocalClient, user
from server.registry.admission import AdmitAll
from server.registry.registry import Registry
from server.scheduler import start_scheduler
from server.storage import Store


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[LocalClient]:
    clock = SystemClock()
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=clock)
    registry = Registry(store, clock, AdmitAll())
    client = LocalClient(registry, store, user=user("system:kube-controller-manager"))
    yield client
    await client.close()
    await store.close()


@pytest.fixture
async def control_plane(client: LocalClient) -> AsyncIterator[LocalClient]:
    controllers = start_controllers(client, settings=Settings(certificate_authority="PEM"))
    scheduler = start_scheduler(client)
    yield client
    await scheduler.stop()
    await controllers.stop()


def config_map(name: str = "a", **data: str) -> Object:
    metadata = {"name": name, "namespace": "ns"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def namespace(name: str = "ns") -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pod(name: str = "p") -> Object:
    spec = {"containers": [{"name": "c", "image": "busybox"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "ns"}, "spec": spec}


async def make_node(client: LocalClient, name: str = "n") -> None:
    await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"}, "conditions": [ready]}
    await client.patch(NODES, name, {"status": status}, subresource="status")


async def settled() -> None:
    await FakeClock().advance(0)


async def eventually(client: LocalClient, found: object) -> None:
    """Let the event loop and the database's thread work until `found()` holds, for ten seconds at most."""
    assert callable(found)
    deadline = time.monotonic() + 10
    while not found():
        assert time.monotonic() < deadline, "it did not happen"
        await client.get(NAMESPACES, "ns") if client.informer(NAMESPACES).get("", "ns") else None
        await settled()


async def test_what_is_written_can_be_read(client: LocalClient) -> None:
    made = await client.create(CONFIGMAPS, config_map(x="1"))
    assert await client.get(CONFIGMAPS, "a", namespace="ns") == made
    updated = await client.update(CONFIGMAPS, made | {"data": {"x": "2"}})
    patched = await client.patch(CONFIGMAPS, "a", {"data": {"y": "3"}}, namespace="ns")
    assert patched["data"] == {"x": "2", "y": "3"}
    listing = await client.list(CONFIGMAPS, namespace="ns")
    assert listing.items == [patched]
    with pytest.raises(Conflict):
        await client.update(CONFIGMAPS, updated)
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, config_map())
    await client.delete(CONFIGMAPS, "a", namespace="ns")
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "a", namespace="ns")


async def test_what_is_handed_in_stays_the_callers(client: LocalClient) -> None:
    mine = config_map(x="1")
    await client.create(CONFIGMAPS, mine)
    assert mine == config_map(x="1")


async def test_a_watch_resumes_after_a_listing(client: LocalClient) -> None:
    since = (await client.list(CONFIGMAPS)).resource_version
    await client.create(CONFIGMAPS, config_map())
    async with aclosing(client.watch(CONFIGMAPS, namespace="ns", resource_version=since)) as watch:
        event = await anext(watch)
    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "a")


async def test_a_precondition_that_fails_is_a_conflict(client: LocalClient) -> None:
    await client.create(CONFIGMAPS, config_map())
    with pytest.raises(Conflict):
        await client.delete(CONFIGMAPS, "a", namespace="ns", preconditions={"uid": "other"})


async def test_discovery_knows_the_namespaced_kinds(client: LocalClient) -> None:
    found = {str(resource): resource for resource in await client.discover()}
    assert found["configmaps"].namespaced
    assert not found["nodes"].namespaced
    assert "deletecollection" in found["deployments.apps"].verbs


async def test_a_pod_is_bound_within_milliseconds(control_plane: LocalClient) -> None:
    client = control_plane
    await client.create(NAMESPACES, namespace())
    await make_node(client)
    pods = client.informer(PODS)
    await client.create(PODS, pod())
    await eventually(client, lambda: (pods.get("ns", "p") or {})["spec"].get("nodeName") == "n")
    bound = await client.get(PODS, "p", namespace="ns")
    assert conditions.is_true(bound, "PodScheduled")
    events = client.informer(EVENTS)
    await eventually(client, lambda: [each for each in events.list("ns") if each["reason"] == "Scheduled"])


async def test_a_pod_without_a_node_is_told_why(control_plane: LocalClient) -> None:
    client = control_plane
    await client.create(NAMESPACES, namespace())
    pods = client.informer(PODS)
    await client.create(PODS, pod())
    await eventually(client, lambda: conditions.find(pods.get("ns", "p") or {}, "PodScheduled"))
    condition = conditions.find(await client.get(PODS, "p", namespace="ns"), "PodScheduled")
    assert condition is not None
    assert condition["message"] == "no nodes available to schedule pods"


async def test_a_node_gets_its_network(control_plane: LocalClient) -> None:
    await make_node(control_plane)
    nodes = control_plane.informer(NODES)
    await eventually(control_plane, lambda: (nodes.get("", "n") or {})["spec"].get("podCIDR"))
    assert (await control_plane.get(NODES, "n"))["spec"]["podCIDRs"] == ["10.244.0.0/24"]


async def test_a_namespace_is_furnished_and_emptied(control_plane: LocalClient) -> None:
    client = control_plane
    await client.create(NAMESPACES, namespace())
    accounts, maps = client.informer(SERVICE_ACCOUNTS), client.informer(CONFIGMAPS)
    await eventually(client, lambda: accounts.get("ns", "default") and maps.get("ns", "kube-root-ca.crt"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}}
    await client.create(SECRETS, secret)
    await client.delete(NAMESPACES, "ns")
    spaces = client.informer(NAMESPACES)
    await eventually(client, lambda: spaces.get("", "ns") is None)
    assert client.informer(SECRETS).list("ns") == []
    assert maps.list("ns") == []
