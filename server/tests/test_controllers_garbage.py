"""What goes with its owners, what stays, and who waits for whom."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import (
    CLUSTER_ROLES,
    CONFIGMAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    SECRETS,
    Resource,
)
from kubeling.objects import meta
from server.tests.owner_references import NOBODY, delete, names, owner_of, owners, put, set_finalizers
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


# Background.


async def test_dependents_go_after_their_owner(plane: Plane) -> None:
    owner = await put(plane, "owner")
    child = await put(plane, "child", owner_of(owner))
    await put(plane, "grandchild", owner_of(child))
    await put(plane, "other")
    await delete(plane, "owner")
    assert names(plane) == {"other"}


async def test_an_object_stays_as_long_as_one_owner_does_and_forgets_the_others(plane: Plane) -> None:
    one, two = await put(plane, "one"), await put(plane, "two")
    await put(plane, "child", owner_of(one), owner_of(two))
    await delete(plane, "one")
    assert owners(plane, "child") == ["two"]
    await delete(plane, "two")
    assert names(plane) == set()


async def test_an_owner_that_is_being_deleted_is_still_an_owner(plane: Plane) -> None:
    owner = await put(plane, "owner", finalizers=["example.com/hold"])
    await put(plane, "child", owner_of(owner))
    await delete(plane, "owner")
    assert names(plane) == {"owner", "child"}
    await set_finalizers(plane, "owner")
    assert names(plane) == set()


async def test_an_object_whose_owner_never_was_goes(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "child", owner_of(owner, uid=NOBODY, name="nobody"))
    assert names(plane) == {"owner"}


async def test_an_owner_of_another_uid_is_none(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "child", owner_of(owner, uid=NOBODY))
    assert names(plane) == {"owner"}


async def test_an_owner_of_another_name_or_kind_is_none(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "renamed", owner_of(owner, name="another"))
    await put(plane, "of-another-kind", owner_of(owner, kind="Secret"))
    await put(plane, "right", owner_of(owner))
    assert names(plane) == {"owner", "right"}


async def test_wrong_references_made_before_the_owner_is_seen_do_no_harm_to_right_ones(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "wrong", owner_of(owner, name="another"))
    await put(plane, "right", owner_of(owner))
    await put(plane, "wrong-again", owner_of(owner, kind="Secret"))
    assert names(plane) == {"owner", "right"}


async def test_an_owner_in_another_version_of_its_kind_is_one(plane: Plane) -> None:
    scaler = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    spec = {"maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}
    owner = await plane.create(scaler, {"metadata": {"name": "owner"}, "spec": spec})
    await put(plane, "child", owner_of(owner, apiVersion="autoscaling/v1"))
    assert names(plane) == {"child"}
    await plane.client.delete(scaler, "owner", namespace="ns")
    await plane.settle()
    assert names(plane) == set()


async def test_an_owner_of_an_unknown_kind_holds_the_object(plane: Plane) -> None:
    owner = await put(plane, "owner")
    unknown = owner_of(owner, apiVersion="example.com/v1", kind="Widget", uid=NOBODY)
    await put(plane, "child", unknown, owner_of(owner))
    await delete(plane, "owner")
    await plane.advance(100)
    assert names(plane) == {"child"}
    assert owners(plane, "child") == ["owner", "owner"]


async def test_an_absent_owner_that_is_stated_in_two_ways_is_not_asked_for_all_the_time(plane: Plane) -> None:
    owner = await put(plane, "owner")
    hold = ["example.com/hold"]
    await put(plane, "one", owner_of(owner, uid=NOBODY), finalizers=hold)
    await put(plane, "two", owner_of(owner, uid=NOBODY, kind="Secret"), finalizers=hold)
    await plane.advance(30)
    assert all(meta.is_terminating(plane.get(CONFIGMAPS, name) or {}) for name in ("one", "two"))
    for name in ("one", "two"):
        await set_finalizers(plane, name)
    assert names(plane) == {"owner"}


# Namespaces.


async def test_an_owner_in_another_namespace_is_none_and_an_event_says_so(plane: Plane) -> None:
    await plane.create(NAMESPACES, {"metadata": {"name": "far"}})
    owner = await put(plane, "owner", namespace="far")
    child = await put(plane, "child", owner_of(owner))
    assert names(plane) == set()
    (event,) = [each for each in plane.list(EVENTS) if each["reason"] == "OwnerRefInvalidNamespace"]
    uid = owner["metadata"]["uid"]
    assert event["message"] == (
        f'ownerRef [v1/ConfigMap, namespace: ns, name: owner, uid: {uid}] does not exist in namespace "ns"'
    )
    assert (event["type"], event["source"]) == ("Warning", {"component": "garbage-collector-controller"})
    assert event["involvedObject"]["uid"] == meta.uid(child)
    await plane.client.delete(CONFIGMAPS, "owner", namespace="far")


async def test_a_cluster_scoped_owner_has_dependents_in_namespaces(plane: Plane) -> None:
    owner = await plane.create(CLUSTER_ROLES, {"metadata": {"name": "owner"}, "rules": []})
    await put(plane, "child", owner_of(owner))
    assert names(plane) == {"child"}
    await plane.client.delete(CLUSTER_ROLES, "owner")
    await plane.settle()
    assert names(plane) == set()


async def test_a_cluster_scoped_object_is_never_collected_for_an_owner_in_a_namespace(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "child", owner_of(owner), resource=NODES)
    await delete(plane, "owner")
    await plane.advance(30)
    assert "child" in names(plane, NODES)


async def test_absent_owners_of_cluster_scoped_objects_do_not_hurt_those_in_namespaces(plane: Plane) -> None:
    """A cluster-scoped object that names a namespaced kind must not make that owner absent for others."""
    owner = await put(plane, "owner")
    role = {"metadata": {"name": "child", "ownerReferences": [owner_of(owner)]}, "rules": []}
    await plane.create(CLUSTER_ROLES, role)
    await put(plane, "child", owner_of(owner))
    await plane.advance(30)
    assert names(plane) == {"owner", "child"}
    assert plane.get(CLUSTER_ROLES, "child")


# Foreground.


async def test_an_owner_deleted_in_the_foreground_waits_for_those_that_block_it(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "child", owner_of(owner, blockOwnerDeletion=True), finalizers=["example.com/hold"])
    await delete(plane, "owner", "Foreground")
    assert names(plane) == {"owner", "child"}
    waiting = plane.get(CONFIGMAPS, "owner")
    assert waiting is not None
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    await set_finalizers(plane, "child")
    assert names(plane) == set()


async def test_an_owner_deleted_in_the_foreground_does_not_wait_for_the_others(plane: Plane) -> None:
    owner = await put(plane, "owner")
    hold = ["example.com/hold"]
    await put(plane, "child", owner_of(owner, blockOwnerDeletion=False), finalizers=hold)
    await delete(plane, "owner", "Foreground")
    assert names(plane) == {"child"}
    child = plane.get(CONFIGMAPS, "child")
    assert child is not None
    assert meta.is_terminating(child)


async def test_a_dependent_with_dependents_is_deleted_in_the_foreground_as_well(plane: Plane) -> None:
    owner = await put(plane, "owner")
    child = await put(plane, "child", owner_of(owner, blockOwnerDeletion=True))
    blocking = owner_of(child, blockOwnerDeletion=True)
    await put(plane, "grandchild", blocking, finalizers=["example.com/hold"])
    await delete(plane, "owner", "Foreground")
    assert names(plane) == {"owner", "child", "grandchild"}
    await set_finalizers(plane, "grandchild")
    assert names(plane) == set()


async def test_a_dependent_with_a_solid_owner_leaves_the_one_that_waits(plane: Plane) -> None:
    one, two = await put(plane, "one"), await put(plane, "two")
    await put(plane, "child", owner_of(one, blockOwnerDeletion=True), owner_of(two))
    await delete(plane, "one", "Foreground")
    assert names(plane) == {"two", "child"}
    assert owners(plane, "child") == ["two"]


async def test_a_reference_that_blocks_no_more_lets_the_owner_go(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "child", owner_of(owner, blockOwnerDeletion=True), finalizers=["example.com/hold"])
    await delete(plane, "owner", "Foreground")
    unblocked = {"metadata": {"ownerReferences": [owner_of(owner, blockOwnerDeletion=False)]}}
    await plane.patch(CONFIGMAPS, "child", unblocked)
    assert names(plane) == {"child"}


@pytest.mark.parametrize("policy", ["Foreground", "Background"])
async def test_a_circle_of_owners_does_not_wait_for_itself(plane: Plane, policy: str) -> None:
    one = await put(plane, "one")
    two = await put(plane, "two", owner_of(one, blockOwnerDeletion=True))
    three = await put(plane, "three", owner_of(two, blockOwnerDeletion=True))
    closing = {"metadata": {"ownerReferences": [owner_of(three, blockOwnerDeletion=True)]}}
    await plane.patch(CONFIGMAPS, "one", closing)
    assert names(plane) == {"one", "two", "three"}
    await delete(plane, "one", policy)
    await plane.advance(1)
    assert names(plane) == set()


# Orphans.


async def test_orphaned_dependents_stay_without_their_owner(plane: Plane) -> None:
    one, two = await put(plane, "one"), await put(plane, "two")
    await put(plane, "child", owner_of(one))
    await put(plane, "shared", owner_of(one), owner_of(two))
    await delete(plane, "one", "Orphan")
    assert names(plane) == {"two", "child", "shared"}
    assert owners(plane, "child") == []
    assert owners(plane, "shared") == ["two"]


async def test_a_finalizer_that_asks_for_orphans_is_honoured_when_the_object_is_collected(
    plane: Plane,
) -> None:
    owner = await put(plane, "owner")
    child = await put(plane, "child", owner_of(owner), finalizers=["orphan"])
    await put(plane, "grandchild", owner_of(child))
    await delete(plane, "owner")
    assert names(plane) == {"grandchild"}
    assert owners(plane, "grandchild") == []


async def test_orphaning_waits_for_the_server(plane: Plane) -> None:
    owner = await put(plane, "owner", finalizers=["example.com/hold"])
    await put(plane, "child", owner_of(owner))
    await delete(plane, "owner", "Orphan")
    held = plane.get(CONFIGMAPS, "owner")
    assert held is not None
    assert held["metadata"]["finalizers"] == ["example.com/hold"]
    await set_finalizers(plane, "owner")
    assert names(plane) == {"child"}


async def test_other_kinds_have_owners_as_well(plane: Plane) -> None:
    owner = await put(plane, "owner")
    await put(plane, "child", owner_of(owner), resource=SECRETS)
    await delete(plane, "owner")
    assert names(plane, SECRETS) == set()


# After a restart.


async def test_a_collector_that_starts_takes_up_what_was_begun_without_it(plane: Plane) -> None:
    gone, waits, lets_go = [await put(plane, name) for name in ("gone", "waits", "lets-go")]
    await put(plane, "of-gone", owner_of(gone))
    await put(plane, "of-waits", owner_of(waits, blockOwnerDeletion=True))
    await put(plane, "of-lets-go", owner_of(lets_go))

    async def between() -> None:
        for name, policy in (("gone", "Background"), ("waits", "Foreground"), ("lets-go", "Orphan")):
            await plane.client.delete(CONFIGMAPS, name, namespace="ns", propagation_policy=policy)

    await plane.restart_controllers(between=between)
    assert names(plane) == {"of-lets-go"}
    assert owners(plane, "of-lets-go") == []
