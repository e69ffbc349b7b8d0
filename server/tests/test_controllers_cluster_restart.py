"""Controllers that start on a cluster at rest, as those of a new leader do, find nothing to write."""

from pathlib import Path

from kubeling.client.resources import (
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICES,
    Resource,
)
from kubeling.objects import meta
from server.tests.plane import Plane, started_plane

WATCHED = (ENDPOINT_SLICES, ENDPOINTS, NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS)


def revisions(plane: Plane, resource: Resource) -> dict[str, str]:
    return {meta.name(each): meta.resource_version(each) for each in plane.list(resource)}


async def furnish(plane: Plane) -> None:
    """A node, a pod behind a Service, Endpoints that are mirrored, a claim with its volume, one without."""
    await plane.create(NAMESPACES, {"metadata": {"name": "default"}})
    await plane.add_node()
    ports = [{"port": 80}]
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    await plane.create(PODS, {"metadata": {"name": "p", "labels": {"app": "a"}}, "spec": spec})
    await plane.set_pod("p", podIP="10.0.0.1", podIPs=[{"ip": "10.0.0.1"}])
    for name, selector in (("s", {"app": "a"}), ("empty", {"app": "b"}), ("custom", None)):
        await plane.create(
            SERVICES, {"metadata": {"name": name}, "spec": {"selector": selector, "ports": ports}}
        )
    subsets = [{"addresses": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}], "ports": ports}]
    await plane.create(ENDPOINTS, {"metadata": {"name": "custom"}, "subsets": subsets})
    modes, size = ["ReadWriteOnce"], {"storage": "1Gi"}
    volume = {"capacity": size, "accessModes": modes, "hostPath": {"path": "/tmp/nowhere"}}
    await plane.create(PERSISTENT_VOLUMES, {"metadata": {"name": "v"}, "spec": volume})
    claim = {"accessModes": modes, "resources": {"requests": size}}
    for name in ("bound", "waiting"):
        await plane.create(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": name}, "spec": claim})
    await plane.advance(5)


async def nothing() -> None:
    """Happens."""


async def test_a_new_leader_finds_nothing_to_write(tmp_path: Path) -> None:
    async with started_plane(tmp_path) as plane:
        await furnish(plane)
        before = {resource: revisions(plane, resource) for resource in WATCHED}
        assert len(before[ENDPOINT_SLICES]) == 3
        await plane.restart_controllers(between=nothing)
        await plane.advance(5)
        assert {resource: revisions(plane, resource) for resource in WATCHED} == before


async def test_what_happened_meanwhile_is_followed(tmp_path: Path) -> None:
    async with started_plane(tmp_path) as plane:
        await furnish(plane)

        async def meanwhile() -> None:
            await plane.client.delete(SERVICES, "empty", namespace="ns")
            await plane.client.delete(PERSISTENT_VOLUME_CLAIMS, "bound", namespace="ns")
            gone = {"metadata": {"labels": {"app": "b"}}}
            await plane.client.patch(PODS, "p", gone, namespace="ns")
            taints = [{"key": "k", "effect": "NoExecute"}]
            await plane.client.patch(NODES, "n", {"spec": {"taints": taints}})

        await plane.restart_controllers(between=meanwhile)
        await plane.advance(5)
        assert plane.get(ENDPOINTS, "empty") is None
        assert (plane.get(ENDPOINTS, "s") or {}).get("subsets") in (None, [])
        assert (plane.get(PERSISTENT_VOLUMES, "v") or {})["status"]["phase"] == "Released"
        assert meta.is_terminating(plane.get(PODS, "p") or {})
