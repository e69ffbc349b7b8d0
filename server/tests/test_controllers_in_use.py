"""The controllers that keep objects for as long as somebody uses them, or say who does."""

from collections.abc import AsyncIterator

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PODS
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.controllers import start_controllers
from server.controllers.api_services import API_SERVICES, DEFINITIONS
from server.controllers.flow_schemas import LEVELS, SCHEMAS
from server.controllers.service_cidr import ADDRESSES, RANGES

SERVED = [RANGES, ADDRESSES, API_SERVICES, DEFINITIONS, LEVELS, SCHEMAS]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(clock=clock, resources=SERVED)
    controllers = start_controllers(client, clock=clock)
    await clock.advance(0)
    yield client
    await controllers.stop()
    await client.close()


def claim() -> Object:
    metadata = {"name": "c", "namespace": "ns", "finalizers": ["kubernetes.io/pvc-protection"]}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {}}


def user(phase: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ns"},
        "spec": {"nodeName": "n", "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
        "status": {"phase": phase},
    }


def service_range(name: str, cidr: str) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": name},
        "spec": {"cidrs": [cidr]},
    }


def address(name: str) -> Object:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "IPAddress", "metadata": {"name": name}, "spec": {}}


async def test_an_unused_claim_goes_at_once(client: FakeClient, clock: FakeClock) -> None:
    client.put(claim())
    await client.delete(PERSISTENT_VOLUME_CLAIMS, "c", namespace="ns")
    await clock.advance(1)
    assert client.stored(PERSISTENT_VOLUME_CLAIMS, "c", namespace="ns") is None


async def test_a_claim_waits_for_the_pod_that_uses_it(client: FakeClient, clock: FakeClock) -> None:
    client.put(claim())
    client.put(user("Running"))
    await clock.advance(0)
    await client.delete(PERSISTENT_VOLUME_CLAIMS, "c", namespace="ns")
    await clock.advance(1)
    assert client.stored(PERSISTENT_VOLUME_CLAIMS, "c", namespace="ns")
    client.remove(PODS, "p", namespace="ns")
    await clock.advance(1)
    assert client.stored(PERSISTENT_VOLUME_CLAIMS, "c", namespace="ns") is None


async def test_a_range_is_made_ready(client: FakeClient, clock: FakeClock) -> None:
    client.put(service_range("more", "10.1.0.0/24"))
    await clock.advance(1)
    stored = client.stored(RANGES, "more")
    assert stored is not None
    assert conditions.is_true(stored, "Ready")
    assert stored["metadata"]["finalizers"] == ["networking.k8s.io/service-cidr-finalizer"]


async def test_a_range_with_addresses_waits_until_they_are_gone_or_elsewhere(
    client: FakeClient, clock: FakeClock
) -> None:
    client.put(service_range("more", "10.1.0.0/24"))
    client.put(address("10.1.0.7"))
    await clock.advance(1)
    await client.delete(RANGES, "more")
    await clock.advance(1)
    stored = client.stored(RANGES, "more")
    assert stored is not None
    state = conditions.find(stored, "Ready")
    assert state is not None
    assert (state["status"], state["reason"]) == ("False", "Terminating")
    client.remove(ADDRESSES, "10.1.0.7")
    await clock.advance(1)
    assert client.stored(RANGES, "more") is None


def definition() -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True}],
        },
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


async def test_the_groups_of_definitions_have_api_services(client: FakeClient, clock: FakeClock) -> None:
    client.put(definition())
    await clock.advance(1)
    stored = client.stored(API_SERVICES, "v1.example.com")
    assert stored is not None
    assert stored["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
    client.remove(DEFINITIONS, "things.example.com")
    await clock.advance(1)
    assert client.stored(API_SERVICES, "v1.example.com") is None


async def test_a_flow_schema_says_whether_its_level_exists(client: FakeClient, clock: FakeClock) -> None:
    api = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1"}
    spec = {"priorityLevelConfiguration": {"name": "l"}}
    client.put({**api, "kind": "FlowSchema", "metadata": {"name": "s"}, "spec": spec})
    await clock.advance(1)
    assert conditions.is_true(client.stored(SCHEMAS, "s") or {}, "Dangling")
    client.put({**api, "kind": "PriorityLevelConfiguration", "metadata": {"name": "l"}, "spec": {}})
    await clock.advance(1)
    found = conditions.find(client.stored(SCHEMAS, "s") or {}, "Dangling")
    assert found is not None
    assert (found["status"], found["reason"]) == ("False", "Found")
