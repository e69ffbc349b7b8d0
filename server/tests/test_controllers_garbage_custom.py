"""Custom resources as owners and dependents, while their definitions come, change and go."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource
from server.tests.owner_references import NOBODY, delete, names, owner_of, owners, put
from server.tests.plane import Plane, started_plane
from server.tests.test_custom_api import definition, version

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")
OLD_WIDGETS = Resource("example.com", "v1beta1", "widgets", "Widget")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


async def define(plane: Plane, *versions: dict[str, Any]) -> None:
    await plane.create(CUSTOM_RESOURCE_DEFINITIONS, definition(*versions))


async def undefine(plane: Plane) -> None:
    await delete(plane, "widgets.example.com", resource=CUSTOM_RESOURCE_DEFINITIONS)


async def test_custom_resources_own_and_are_owned(plane: Plane) -> None:
    await define(plane)
    owner = await put(plane, "owner", resource=WIDGETS)
    child = await put(plane, "child", owner_of(owner))
    await put(plane, "grandchild", owner_of(child), resource=WIDGETS)
    await delete(plane, "owner", resource=WIDGETS)
    assert names(plane) == set()
    assert names(plane, WIDGETS) == set()


async def test_custom_resources_are_waited_for_and_orphaned(plane: Plane) -> None:
    await define(plane)
    owner, other = await put(plane, "owner"), await put(plane, "other", resource=WIDGETS)
    references = owner_of(owner, blockOwnerDeletion=True), owner_of(other)
    await put(plane, "child", *references, resource=WIDGETS)
    await delete(plane, "owner", "Foreground")
    assert owners(plane, "child", WIDGETS) == ["other"]
    await delete(plane, "other", "Orphan", resource=WIDGETS)
    assert names(plane) == set()
    assert owners(plane, "child", WIDGETS) == []


async def test_what_a_definition_takes_along_takes_its_dependents_along(plane: Plane) -> None:
    await define(plane)
    owner = await put(plane, "owner", resource=WIDGETS)
    await put(plane, "child", owner_of(owner))
    await undefine(plane)
    await plane.advance(2)
    assert names(plane) == set()
    assert plane.list(CUSTOM_RESOURCE_DEFINITIONS) == []


async def test_a_definition_that_comes_back_is_followed_again(plane: Plane) -> None:
    await define(plane)
    await put(plane, "first", resource=WIDGETS)
    await undefine(plane)
    await plane.advance(2)
    plane.client.drop_informers(WIDGETS)
    await define(plane)
    owner = await put(plane, "owner", resource=WIDGETS)
    await put(plane, "child", owner_of(owner))
    await delete(plane, "owner", resource=WIDGETS)
    assert names(plane) == set()


async def test_owners_of_a_kind_that_comes_later_are_looked_for_when_it_comes(plane: Plane) -> None:
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": NOBODY}
    await put(plane, "child", reference)
    await plane.advance(60)
    assert names(plane) == {"child"}
    await define(plane)
    assert names(plane) == set()


async def test_owners_are_known_in_every_version_and_when_the_preferred_one_changes(plane: Plane) -> None:
    await define(plane, version("v1beta1"))
    old = await put(plane, "old", resource=OLD_WIDGETS)
    await put(plane, "child-of-old", owner_of(old))
    stored = plane.get(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    assert stored is not None
    wanted = copy.deepcopy(stored)
    wanted["spec"]["versions"].append(version("v1", storage=False))
    await plane.client.update(CUSTOM_RESOURCE_DEFINITIONS, wanted)
    await plane.settle()
    new = await put(plane, "new", resource=WIDGETS)
    await put(plane, "child-of-new", owner_of(new, apiVersion="example.com/v1beta1"))
    assert names(plane) == {"child-of-old", "child-of-new"}
    await delete(plane, "old", resource=WIDGETS)
    assert names(plane) == {"child-of-new"}
    await delete(plane, "new", resource=OLD_WIDGETS)
    assert names(plane) == set()


async def test_what_nobody_serves_any_more_is_not_watched(plane: Plane) -> None:
    await define(plane)
    await put(plane, "w", resource=WIDGETS)
    held = _followed(plane)
    await undefine(plane)
    await plane.advance(2)
    assert held - _followed(plane) == {"widgets.example.com"}


def _followed(plane: Plane) -> set[str]:
    """What the controllers have informers of."""
    return {str(resource) for resource, *_ in plane._manager._here._informers._made}
