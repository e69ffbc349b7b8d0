"""Histories of templates: names, numbers, collisions, adoption, and revisions that say the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import CONTROLLER_REVISIONS, DAEMON_SETS, PODS, STATEFUL_SETS, Resource
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.revisions import data_hash, snapshot
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (CONTROLLER_REVISIONS, DAEMON_SETS, PODS, STATEFUL_SETS):
            plane.client.informer(resource)
        yield plane


def spec(image: str = "a") -> Object:
    template = {"metadata": {"labels": {"a": "x"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {"selector": {"matchLabels": {"a": "x"}}, "template": template}


async def create(plane: Plane, resource: Resource = STATEFUL_SETS, **annotations: str) -> Object:
    metadata = {"name": "web", "annotations": annotations}
    return await plane.create(resource, {"metadata": metadata, "spec": spec()})


def revisions(plane: Plane) -> list[Object]:
    return sorted(plane.list(CONTROLLER_REVISIONS), key=lambda each: int(each["revision"]))


def test_a_hash_has_the_letters_of_generated_names() -> None:
    data = {"spec": {"template": {"$patch": "replace"}}}
    assert set(data_hash(data, 0)) <= set(meta.SUFFIX_ALPHABET)
    assert data_hash(data, 0) != data_hash(data, 1)


async def test_a_revision_carries_the_labels_of_the_template_and_the_annotations_of_its_owner(
    plane: Plane,
) -> None:
    await create(plane, why="first")
    (revision,) = revisions(plane)
    assert meta.labels(revision)["a"] == "x"
    assert meta.annotations(revision)["why"] == "first"
    owner = meta.controller_of(revision)
    assert owner is not None
    assert (owner["kind"], owner["blockOwnerDeletion"]) == ("StatefulSet", True)


async def test_a_name_that_is_taken_is_avoided_and_counted(plane: Plane) -> None:
    owner = {"metadata": {"name": "web"}, "spec": spec()}
    made = await plane.create(STATEFUL_SETS, owner)
    taken = meta.name(revisions(plane)[0])
    await plane.client.delete(STATEFUL_SETS, "web", namespace="ns", propagation_policy="Orphan")
    await plane.settle()
    await plane.client.delete(CONTROLLER_REVISIONS, taken, namespace="ns")
    await plane.create(CONTROLLER_REVISIONS, {"metadata": {"name": taken}, "data": {"a": "b"}, "revision": 1})
    await plane.create(STATEFUL_SETS, owner)
    (name,) = [meta.name(each) for each in revisions(plane) if meta.name(each) != taken]
    assert name == f"web-{data_hash(snapshot(made), 1)}"
    found = plane.get(STATEFUL_SETS, "web")
    assert found is not None
    assert found["status"]["collisionCount"] == 1


async def test_an_orphaned_revision_is_adopted_by_the_next_of_its_labels(plane: Plane) -> None:
    await create(plane)
    await plane.client.delete(STATEFUL_SETS, "web", namespace="ns", propagation_policy="Orphan")
    await plane.settle()
    (orphan,) = revisions(plane)
    assert meta.controller_of(orphan) is None
    owner = await create(plane)
    (adopted,) = revisions(plane)
    assert (meta.controller_of(adopted) or {}).get("uid") == meta.uid(owner)
    assert meta.uid(adopted) == meta.uid(orphan)


async def test_of_a_daemon_sets_revisions_that_say_the_same_the_newest_stays(plane: Plane) -> None:
    await plane.add_node()
    await plane.advance(0.1)
    await create(plane, DAEMON_SETS)
    (first,) = revisions(plane)
    metadata = {"name": "web-twin", "labels": {"a": "x", "controller-revision-hash": "twin"}}
    await plane.create(
        CONTROLLER_REVISIONS, {"metadata": metadata, "data": first["data"], "revision": 2}
    )  # which is adopted
    (left,) = revisions(plane)
    assert meta.name(left) == "web-twin"
    (pod,) = plane.list(PODS)
    assert meta.labels(pod)["controller-revision-hash"] == "twin"
