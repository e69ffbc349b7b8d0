"""What goes when its time is up: requests for certificates, bootstrap tokens, leases of servers."""

import base64
from collections.abc import AsyncIterator

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import CERTIFICATE_SIGNING_REQUESTS, LEASES, SECRETS
from kubeling.objects import meta
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.controllers import start_controllers

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(clock=clock)
    controllers = start_controllers(client, clock=clock)
    yield client
    await controllers.stop()
    await client.close()


def request(name: str, clock: FakeClock, kind: str = "", **status: object) -> Object:
    decided = {"type": kind, "status": "True", "lastUpdateTime": meta.timestamp(clock.now())}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"signerName": "example.com/s"},
        "status": {**({"conditions": [decided]} if kind else {}), **status},
    }


def names(client: FakeClient) -> set[str]:
    found = ("new", "approved", "issued", "denied")
    return {name for name in found if client.stored(CERTIFICATE_SIGNING_REQUESTS, name)}


async def test_requests_for_certificates_go(client: FakeClient, clock: FakeClock) -> None:
    client.put(request("new", clock))
    client.put(request("approved", clock, "Approved"))
    client.put(request("issued", clock, "Approved", certificate=base64.b64encode(b"no PEM").decode()))
    client.put(request("denied", clock, "Denied"))
    await clock.advance(HOUR - 1)
    assert names(client) == {"new", "approved", "issued", "denied"}
    await clock.advance(2)
    assert names(client) == {"new", "approved"}
    await clock.advance(DAY)
    assert names(client) == set()


def token(name: str, expiration: str) -> Object:
    data = {"expiration": base64.b64encode(expiration.encode()).decode()} if expiration else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "data": data,
    }


async def test_bootstrap_tokens_go_at_the_time_that_they_name(client: FakeClient, clock: FakeClock) -> None:
    for name, expiration in (("a", "2026-01-01T01:00:00Z"), ("b", ""), ("c", "soon")):
        client.put(token(name, expiration))
    await clock.advance(HOUR - 1)
    left = [name for name in "abc" if client.stored(SECRETS, name, namespace="kube-system")]
    assert left == ["a", "b"]
    await clock.advance(2)
    left = [name for name in "abc" if client.stored(SECRETS, name, namespace="kube-system")]
    assert left == ["b"]


async def test_the_lease_of_a_server_that_is_gone_goes(client: FakeClient, clock: FakeClock) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "apiserver-x",
            "namespace": "kube-system",
            "labels": {"apiserver.kubernetes.io/identity": "kube-apiserver"},
        },
        "spec": {"renewTime": meta.micro_timestamp(clock.now()), "leaseDurationSeconds": 60},
    }
    client.put(lease)
    await clock.advance(HOUR + 59)
    assert client.stored(LEASES, "apiserver-x", namespace="kube-system")
    await clock.advance(2)
    assert client.stored(LEASES, "apiserver-x", namespace="kube-system") is None
