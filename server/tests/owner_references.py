"""Owners and dependents for tests: config maps that refer to each other, in the namespace `ns`."""

from typing import Any

from kubeling.client.resources import CONFIGMAPS, Resource
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.tests.plane import Plane

NOBODY = "00000000-0000-0000-0000-000000000000"
"""A uid that no object has."""


def owner_of(obj: Object, **more: Any) -> Object:
    """A reference to an owner; `more` are its other fields, or what it says wrongly."""
    reference = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": meta.name(obj),
        "uid": meta.uid(obj),
    }
    return {**reference, **more}


async def put(
    plane: Plane, name: str, *owners: Object, resource: Resource = CONFIGMAPS, **metadata: Any
) -> Object:
    own = {"name": name, "ownerReferences": list(owners), **metadata}
    return await plane.create(resource, {"metadata": own})


async def delete(
    plane: Plane, name: str, policy: str = "Background", *, resource: Resource = CONFIGMAPS
) -> None:
    """Ask for deletion, and let everything follow that follows."""
    space = "ns" if resource.namespaced else ""
    await plane.client.delete(resource, name, namespace=space, propagation_policy=policy)
    await plane.settle()


async def set_finalizers(plane: Plane, name: str, *finalizers: str) -> None:
    await plane.patch(CONFIGMAPS, name, {"metadata": {"finalizers": list(finalizers)}})


def names(plane: Plane, resource: Resource = CONFIGMAPS) -> set[str]:
    return {meta.name(each) for each in plane.list(resource)} - {"kube-root-ca.crt"}


def owners(plane: Plane, name: str, resource: Resource = CONFIGMAPS) -> list[str]:
    found = plane.get(resource, name)
    assert found is not None
    return [each["name"] for each in found["metadata"].get("ownerReferences") or ()]
