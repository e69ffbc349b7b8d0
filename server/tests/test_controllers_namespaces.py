"""What every namespace contains, and how a namespace goes."""

from collections.abc import AsyncIterator

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import CONFIGMAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import InternalError
from kubeling.objects.meta import Object
from server.controllers import Settings, start_controllers

VERBS = frozenset({"list", "delete", "deletecollection"})
SERVED = [
    Resource("", "v1", "pods", "Pod", True, VERBS),
    Resource("", "v1", "configmaps", "ConfigMap", True, VERBS),
    Resource("", "v1", "secrets", "Secret", True, VERBS),
    Resource("", "v1", "nodes", "Node", False, VERBS),
    Resource("", "v1", "bindings", "Binding", True, frozenset({"create"})),
]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(namespace("ns"), clock=clock, resources=SERVED)
    controllers = start_controllers(client, clock=clock, settings=Settings(certificate_authority="PEM"))
    await clock.advance(0)
    yield client
    await controllers.stop()
    await client.close()


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pod(**spec: object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}, "spec": spec}


def secret(**metadata: object) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns", **metadata}}


async def test_every_namespace_has_a_default_service_account(client: FakeClient, clock: FakeClock) -> None:
    assert client.stored(SERVICE_ACCOUNTS, "default", namespace="ns")
    await client.delete(SERVICE_ACCOUNTS, "default", namespace="ns")
    await clock.advance(0)
    assert client.stored(SERVICE_ACCOUNTS, "default", namespace="ns")


async def test_every_namespace_has_the_root_certificate(client: FakeClient, clock: FakeClock) -> None:
    published = client.stored(CONFIGMAPS, "kube-root-ca.crt", namespace="ns")
    assert published is not None
    assert published["data"] == {"ca.crt": "PEM"}
    assert "kubernetes.io/description" in published["metadata"]["annotations"]


async def test_the_root_certificate_is_put_right(client: FakeClient, clock: FakeClock) -> None:
    await client.patch(CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, namespace="ns")
    await clock.advance(0)
    published = client.stored(CONFIGMAPS, "kube-root-ca.crt", namespace="ns")
    assert published is not None
    assert published["data"] == {"ca.crt": "PEM"}


async def test_a_deleted_namespace_is_emptied_and_goes(client: FakeClient, clock: FakeClock) -> None:
    client.put(secret())
    await client.delete(NAMESPACES, "ns")
    await clock.advance(0)
    assert client.stored(NAMESPACES, "ns") is None
    assert client.stored(SECRETS, "s", namespace="ns") is None
    assert client.stored(CONFIGMAPS, "kube-root-ca.crt", namespace="ns") is None


async def test_the_rest_waits_for_the_pods(client: FakeClient, clock: FakeClock) -> None:
    client.put(pod(nodeName="n", terminationGracePeriodSeconds=30))
    client.put(secret())
    await client.delete(NAMESPACES, "ns")
    await clock.advance(0)
    terminating = client.stored(NAMESPACES, "ns")
    assert terminating is not None
    remaining = conditions.find(terminating, "NamespaceContentRemaining")
    assert remaining is not None
    assert remaining["message"] == "Some resources are remaining: pods. has 1 resource instances"
    assert conditions.find(terminating, "NamespaceDeletionDiscoveryFailure")["status"] == "False"  # type: ignore[index]
    assert client.stored(SECRETS, "s", namespace="ns")
    await client.delete(PODS, "p", namespace="ns", grace_period_seconds=0)
    await clock.advance(0)
    assert client.stored(NAMESPACES, "ns") is None


async def test_finalizers_in_the_content_hold_the_namespace(client: FakeClient, clock: FakeClock) -> None:
    client.put(secret(finalizers=["example.com/hold"]))
    await client.delete(NAMESPACES, "ns")
    await clock.advance(0)
    terminating = client.stored(NAMESPACES, "ns")
    assert terminating is not None
    held = conditions.find(terminating, "NamespaceFinalizersRemaining")
    assert held is not None
    text = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    assert held["message"] == text
    await client.patch(SECRETS, "s", {"metadata": {"finalizers": None}}, namespace="ns")
    await clock.advance(10)
    assert client.stored(NAMESPACES, "ns") is None


async def test_a_failure_is_told_and_tried_again(client: FakeClient, clock: FakeClock) -> None:
    client.put(secret())
    client.fail("delete_collection", InternalError("broken"), resource=SECRETS, times=2)
    await client.delete(NAMESPACES, "ns")
    await clock.advance(0)
    terminating = client.stored(NAMESPACES, "ns")
    assert terminating is not None
    failure = conditions.find(terminating, "NamespaceDeletionContentFailure")
    assert failure is not None
    assert failure["message"] == "Failed to delete all resource types, 1 remaining: broken"
    await clock.advance(1)
    assert client.stored(NAMESPACES, "ns") is None


async def test_a_group_that_cannot_be_discovered_holds_the_namespace_but_not_the_rest(
    client: FakeClient, clock: FakeClock
) -> None:
    client.put(secret())
    client.undiscovered["metrics.k8s.io/v1beta1"] = "stale GroupVersion discovery: metrics.k8s.io/v1beta1"
    await client.delete(NAMESPACES, "ns")
    await clock.advance(1)
    terminating = client.stored(NAMESPACES, "ns")
    assert terminating is not None
    failure = conditions.find(terminating, "NamespaceDeletionDiscoveryFailure")
    assert failure is not None
    assert (failure["status"], failure["reason"]) == ("True", "DiscoveryFailed")
    assert failure["message"] == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs:"
        " metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1"
    )
    assert client.stored(SECRETS, "s", namespace="ns") is None
    client.undiscovered.clear()
    await clock.advance(60)
    assert client.stored(NAMESPACES, "ns") is None
