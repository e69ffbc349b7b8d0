"""What is in a namespace that goes: of every kind, pods first, and what is said of the rest."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import (
    CONFIGMAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    Resource,
)
from kubeling.objects import conditions, meta
from kubeling.objects.errors import Forbidden
from kubeling.objects.meta import Object
from server.tests.owner_references import put, set_finalizers
from server.tests.plane import Plane, started_plane
from server.tests.test_custom_api import definition

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")
ALL_FINE = {
    "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions"),
    "NamespaceDeletionContentFailure": ("False", "ContentDeleted"),
    "NamespaceContentRemaining": ("True", "SomeResourcesRemain"),
    "NamespaceFinalizersRemaining": ("True", "SomeFinalizersRemain"),
}


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


async def end(plane: Plane) -> None:
    await plane.client.delete(NAMESPACES, "ns")
    await plane.settle()


def said(plane: Plane, kind: str) -> str:
    space = plane.get(NAMESPACES, "ns")
    assert space is not None
    found = conditions.find(space, kind)
    assert found is not None
    return str(found["message"])


def _spec() -> Object:
    return {"containers": [{"name": "c", "image": "i"}]}


async def test_content_of_every_kind_goes_with_its_namespace(plane: Plane) -> None:
    await plane.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
    await put(plane, "w", resource=WIDGETS)
    template = {"metadata": {"labels": {"a": "b"}}, "spec": _spec()}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await plane.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await plane.create(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "c"}, "spec": asked})
    assert plane.list(PODS)
    await end(plane)
    assert plane.get(NAMESPACES, "ns") is None
    resources = [each for each in await plane.client.discover() if each.namespaced and "list" in each.verbs]
    for resource in resources:
        assert (await plane.client.list(resource, namespace="ns")).items == []


async def test_finalizers_that_others_take_away_at_once_cost_no_time(plane: Plane) -> None:
    """Claims have one, which a controller takes away: nobody waits for the clock."""
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await plane.create(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "c"}, "spec": asked})
    before = plane.clock.now()
    await end(plane)
    assert plane.get(NAMESPACES, "ns") is None
    assert plane.clock.now() == before


async def test_the_last_finalizer_that_goes_lets_the_namespace_go(plane: Plane) -> None:
    await put(plane, "a", finalizers=["example.com/hold"])
    await put(plane, "b", finalizers=["example.com/hold", "example.com/more"])
    await end(plane)
    space = plane.get(NAMESPACES, "ns")
    assert space is not None
    found = space["status"]["conditions"]
    assert {each["type"]: (each["status"], each["reason"]) for each in found} == ALL_FINE
    remaining = said(plane, "NamespaceContentRemaining")
    assert remaining == "Some resources are remaining: configmaps. has 2 resource instances"
    assert said(plane, "NamespaceFinalizersRemaining") == (
        "Some content in the namespace has finalizers remaining:"
        " example.com/hold in 2 resource instances, example.com/more in 1 resource instances"
    )
    await set_finalizers(plane, "a")
    assert plane.get(NAMESPACES, "ns")
    await set_finalizers(plane, "b")
    assert plane.get(NAMESPACES, "ns") is None


async def test_pods_go_first(plane: Plane) -> None:
    held = {"name": "p", "finalizers": ["example.com/hold"]}
    await plane.create(PODS, {"metadata": held, "spec": _spec()})
    await put(plane, "a")
    await end(plane)
    pod, other = plane.get(PODS, "p"), plane.get(CONFIGMAPS, "a")
    assert pod is not None and meta.is_terminating(pod)  # noqa: PT018
    assert other is not None and not meta.is_terminating(other)  # noqa: PT018
    assert said(plane, "NamespaceContentRemaining") == (
        "Some resources are remaining: pods. has 1 resource instances"
    )
    await plane.patch(PODS, "p", {"metadata": {"finalizers": []}})
    assert plane.get(NAMESPACES, "ns") is None


async def test_nothing_new_comes_into_a_namespace_that_goes(plane: Plane) -> None:
    await put(plane, "a", finalizers=["example.com/hold"])
    await end(plane)
    with pytest.raises(Forbidden, match="because it is being terminated"):
        await put(plane, "b")
    await set_finalizers(plane, "a")


async def test_a_finalizer_of_the_namespace_itself_keeps_it_empty(plane: Plane) -> None:
    await plane.patch(NAMESPACES, "ns", {"metadata": {"finalizers": ["example.com/hold"]}})
    await put(plane, "a")
    await end(plane)
    space = plane.get(NAMESPACES, "ns")
    assert space is not None
    assert space["status"]["phase"] == "Terminating"
    assert "finalizers" not in space["spec"] or not space["spec"]["finalizers"]
    assert plane.list(CONFIGMAPS) == []
    await plane.patch(NAMESPACES, "ns", {"metadata": {"finalizers": []}})
    assert plane.get(NAMESPACES, "ns") is None


async def test_a_definition_that_goes_takes_many_instances_at_once(plane: Plane) -> None:
    await plane.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
    for number in range(100):
        obj = {"apiVersion": "example.com/v1", "kind": "Widget"}
        own = {"name": f"w{number}", "namespace": "ns"}
        await plane.client.create(WIDGETS, {**obj, "metadata": own})
    await plane.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    await plane.settle()
    await plane.advance(2)
    assert plane.list(CUSTOM_RESOURCE_DEFINITIONS) == []
    assert list(plane.store.list("widgets.example.com")) == []
