"""Resources of other servers: they own and are owned, and go with their namespaces."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import CONFIGMAPS, NAMESPACES, Resource
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.tests.owner_references import delete, names, owner_of, put
from server.tests.plane import Plane, started_plane

VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
FLUNDERS = Resource("wardle.example.com", "v1alpha1", "flunders", "Flunder", True, VERBS)
API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        plane.others.served = [FLUNDERS]
        await plane.create(API_SERVICES, _api_service())
        yield plane


def _api_service() -> Object:
    place = {"name": "wardle", "namespace": "ns", "port": 443}
    names_it = {"group": FLUNDERS.group, "version": FLUNDERS.version}
    spec = {**names_it, "service": place, "groupPriorityMinimum": 2000, "versionPriority": 200}
    return {
        "metadata": {"name": f"{FLUNDERS.version}.{FLUNDERS.group}"},
        "spec": {**spec, "caBundle": "YQ=="},
    }


def flunder(plane: Plane, name: str, *owners: Object) -> Object:
    own = {"name": name, "namespace": "ns", "ownerReferences": list(owners)}
    return plane.others.put({"apiVersion": FLUNDERS.api_version, "kind": FLUNDERS.kind, "metadata": own})


def stands(plane: Plane, name: str) -> bool:
    return plane.others.stored(FLUNDERS, name, namespace="ns") is not None


async def test_resources_of_other_servers_own_and_are_owned(plane: Plane) -> None:
    root = await put(plane, "root")
    middle = flunder(plane, "middle", owner_of(root))
    await put(plane, "leaf", owner_of(middle))
    await plane.settle()
    assert names(plane) == {"root", "leaf"}
    assert stands(plane, "middle")
    await delete(plane, "root")
    assert names(plane) == set()
    assert not stands(plane, "middle")


async def test_resources_of_other_servers_go_with_their_namespace(plane: Plane) -> None:
    flunder(plane, "a")
    await plane.client.delete(NAMESPACES, "ns")
    await plane.settle()
    assert plane.get(NAMESPACES, "ns") is None
    assert not stands(plane, "a")


async def test_a_server_that_is_away_holds_the_namespace_but_not_the_rest(plane: Plane) -> None:
    flunder(plane, "a")
    await put(plane, "gone")
    plane.others.served = []
    place = f"{FLUNDERS.group}/{FLUNDERS.version}"
    plane.others.undiscovered[place] = f"stale GroupVersion discovery: {place}"
    await plane.client.delete(NAMESPACES, "ns")
    await plane.settle()
    space = plane.get(NAMESPACES, "ns")
    assert space is not None
    failure = conditions.find(space, "NamespaceDeletionDiscoveryFailure")
    assert failure is not None
    assert failure["message"].endswith(f"list of server APIs: {place}: stale GroupVersion discovery: {place}")
    assert "gone" not in {meta.name(each) for each in plane.list(CONFIGMAPS)}
    plane.others.served = [FLUNDERS]
    plane.others.undiscovered.clear()
    await plane.advance(60)
    assert plane.get(NAMESPACES, "ns") is None
    assert not stands(plane, "a")
