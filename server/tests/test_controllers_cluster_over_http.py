"""The controllers of nodes, endpoints and volumes over HTTP, with no rights but those of their accounts."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from kubeling.client import HttpClient
from kubeling.client.resources import (
    ENDPOINT_SLICES,
    ENDPOINTS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICES,
    Resource,
)
from kubeling.objects import conditions
from kubeling.objects.meta import Object
from server.tests.over_http import Components, client, components, eventually, server

__all__ = ["client", "components", "server"]


@pytest.fixture
async def started(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[HttpClient]:
    """The administrator's client, beside controllers that must never have been refused anything."""
    caplog.set_level(logging.DEBUG)
    await components.start()
    yield client
    await components.stop()
    assert "forbidden" not in caplog.text


async def create(client: HttpClient, resource: Resource, name: str, **fields: object) -> Object:
    metadata = {"name": name, "namespace": "default"} if resource.namespaced else {"name": name}
    known = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return await client.create(resource, {**known, **fields})


async def ready_node(client: HttpClient) -> None:
    await create(client, NODES, "n")
    ready = {"type": "Ready", "status": "True"}
    await client.patch(NODES, "n", {"status": {"conditions": [ready]}}, subresource="status")


async def running_pod(client: HttpClient, name: str = "p", ip: str = "10.0.0.1", **spec: object) -> None:
    metadata = {"name": name, "namespace": "default", "labels": {"app": "a"}}
    full = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}], **spec}
    await client.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": full})
    ready = [{"type": "Ready", "status": "True"}]
    status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": ready}
    await client.patch(PODS, name, {"status": status}, namespace="default", subresource="status")


async def test_pods_are_found_behind_their_service(started: HttpClient) -> None:
    endpoints, slices = started.informer(ENDPOINTS), started.informer(ENDPOINT_SLICES)
    await ready_node(started)
    await running_pod(started)
    ports = [{"port": 80}]
    await create(started, SERVICES, "s", spec={"selector": {"app": "a"}, "ports": ports})
    await create(started, SERVICES, "custom", spec={"ports": ports})
    subsets = [{"addresses": [{"ip": "192.0.2.1"}], "ports": ports}]
    await create(started, ENDPOINTS, "custom", subsets=subsets)

    def addresses() -> set[str]:
        found = [end for each in slices.list("default") for end in each.get("endpoints") or ()]
        return {ip for end in found for ip in end["addresses"]}

    await eventually(lambda: {"10.0.0.1", "192.0.2.1"} <= addresses())
    await eventually(lambda: (endpoints.get("default", "s") or {}).get("subsets"))
    await started.delete(SERVICES, "s", namespace="default")
    await eventually(lambda: endpoints.get("default", "s") is None)


async def test_no_slice_is_made_twice(started: HttpClient) -> None:
    """What was written is known here later than there."""
    slices = started.informer(ENDPOINT_SLICES)
    await ready_node(started)
    await create(started, SERVICES, "s", spec={"selector": {"app": "a"}, "ports": [{"port": 80}]})
    names = [f"p{number}" for number in range(1, 121)]
    for chunk in (names[start : start + 10] for start in range(0, len(names), 10)):
        await asyncio.gather(*(running_pod(started, name, f"10.0.0.{name[1:]}") for name in chunk))

    def of_service() -> list[Object]:
        found = slices.list("default")
        return [each for each in found if each["metadata"]["name"].startswith("s-")]

    def addresses() -> list[str]:
        found = [end for each in of_service() for end in each.get("endpoints") or ()]
        return [ip for end in found for ip in end["addresses"] if end["conditions"]["ready"]]

    await eventually(lambda: len(set(addresses())) == len(names))
    assert len(addresses()) == len(names)
    assert len(of_service()) == 2


async def test_a_claim_is_bound(started: HttpClient) -> None:
    claims = started.informer(PERSISTENT_VOLUME_CLAIMS)
    modes, size = ["ReadWriteOnce"], {"storage": "1Gi"}
    path = {"path": "/tmp/nowhere"}
    await create(
        started, PERSISTENT_VOLUMES, "v", spec={"capacity": size, "accessModes": modes, "hostPath": path}
    )
    spec = {"accessModes": modes, "resources": {"requests": size}}
    await create(started, PERSISTENT_VOLUME_CLAIMS, "c", spec=spec)
    await eventually(lambda: (claims.get("default", "c") or {}).get("status", {}).get("phase") == "Bound")
    await started.delete(PERSISTENT_VOLUME_CLAIMS, "c", namespace="default")
    volumes = started.informer(PERSISTENT_VOLUMES)
    await eventually(lambda: (volumes.get("", "v") or {}).get("status", {}).get("phase") == "Released")


async def test_a_pod_is_evicted_and_its_volumes_claim_made(started: HttpClient) -> None:
    pods, claims = started.informer(PODS), started.informer(PERSISTENT_VOLUME_CLAIMS)
    await ready_node(started)
    own = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volume = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": own}}}
    await running_pod(started, volumes=[volume])
    await eventually(lambda: claims.get("default", "p-v"))
    await started.patch(NODES, "n", {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
    await eventually(lambda: conditions.is_true(pods.get("default", "p") or {}, "DisruptionTarget"))
    await eventually(lambda: (pods.get("default", "p") or {})["metadata"].get("deletionTimestamp"))
    await started.delete(NODES, "n")
