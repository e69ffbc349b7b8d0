import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.options import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    DeleteOptions,
    ListOptions,
    Patch,
    Selection,
    WatchOptions,
)
from server.registry.registry import Registry
from server.registry.results import WatchEvent
from server.registry.watch import INITIAL_EVENTS_END, WatchStream
from server.schema.types import struct_of
from server.storage import Store


def kind(plural: str, group: str = "", version: str = "v1") -> Kind:
    found = Kinds().lookup(group, version, plural)
    assert found is not None
    return found


CONFIG_MAPS = kind("configmaps")
LEASES = kind("leases", "coordination.k8s.io")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store, FakeClock(), AdmitAll())


def context(**settings: Any) -> RequestContext:
    return RequestContext(SYSTEM, **settings)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def make(registry: Registry, name: str, *, labels: dict[str, str] | None = None) -> Any:
    obj = config_map(name, a="1")
    obj["metadata"]["labels"] = labels or {}
    return await registry.create(context(), CONFIG_MAPS, "default", obj)


async def batch(stream: WatchStream) -> list[WatchEvent]:
    async with asyncio.timeout(5):
        return await anext(stream)


def described(events: list[WatchEvent]) -> list[tuple[str, str]]:
    return [(event.type, event.record.name) for event in events]


async def test_create_fills_in_what_the_server_decides(registry: Registry) -> None:
    record = await make(registry, "a")
    own = record.obj["metadata"]
    assert own["namespace"] == "default"
    assert own["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert own["resourceVersion"] == str(record.revision)
    assert len(own["uid"]) == 36


async def test_a_name_that_exists_is_refused(registry: Registry) -> None:
    await make(registry, "a")
    with pytest.raises(errors.AlreadyExists, match='configmaps "a" already exists'):
        await make(registry, "a")


async def test_generate_name_makes_a_name(registry: Registry) -> None:
    obj = {"metadata": {"generateName": "a-"}}
    record = await registry.create(context(), CONFIG_MAPS, "default", obj)
    assert record.name.startswith("a-")
    assert len(record.name) == 7


async def test_a_bad_name_is_invalid(registry: Registry) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await make(registry, "A_b")
    assert caught.value.message.startswith(
        'ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase'
    )


async def test_a_missing_name_is_invalid(registry: Registry) -> None:
    with pytest.raises(errors.Invalid, match="name or generateName is required"):
        await registry.create(context(), CONFIG_MAPS, "default", {})


async def test_another_namespace_in_the_object_is_refused(registry: Registry) -> None:
    obj = {"metadata": {"name": "a", "namespace": "other"}}
    with pytest.raises(errors.BadRequest, match="does not match the namespace sent"):
        await registry.create(context(), CONFIG_MAPS, "default", obj)


async def test_unknown_fields_warn_or_fail_as_asked(registry: Registry) -> None:
    obj = config_map("a") | {"spec": 1}
    warned = context()
    await registry.create(warned, CONFIG_MAPS, "default", obj)
    assert warned.warnings == ['unknown field "spec"']
    with pytest.raises(errors.BadRequest, match='strict decoding error: unknown field "spec"'):
        await registry.create(context(field_validation="Strict"), CONFIG_MAPS, "default", obj)


async def test_a_dry_run_leaves_no_trace(registry: Registry, store: Store) -> None:
    before = store.revision
    record = await registry.create(context(dry_run=True), CONFIG_MAPS, "default", config_map("a"))
    assert record.obj["metadata"]["uid"]
    assert store.revision == before


async def test_update_with_an_old_resource_version_conflicts(registry: Registry) -> None:
    stale = (await make(registry, "a")).copy()
    fresh = {**stale, "data": {"a": "2"}}
    await registry.update(context(), CONFIG_MAPS, "default", "a", fresh)
    with pytest.raises(errors.Conflict) as caught:
        await registry.update(context(), CONFIG_MAPS, "default", "a", {**stale, "data": {"a": "3"}})
    assert caught.value.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your'
        " changes to the latest version and try again"
    )


async def test_an_update_that_changes_nothing_writes_nothing(registry: Registry, store: Store) -> None:
    record = await make(registry, "a")
    before = store.revision
    result = await registry.update(context(), CONFIG_MAPS, "default", "a", record.copy())
    assert (result.record, store.revision) == (record, before)


async def test_update_of_nothing_is_not_found_unless_the_kind_allows_it(registry: Registry) -> None:
    with pytest.raises(errors.NotFound, match='configmaps "a" not found'):
        await registry.update(context(), CONFIG_MAPS, "default", "a", config_map("a"))
    result = await registry.update(context(), LEASES, "default", "a", {"metadata": {"name": "a"}})
    assert result.created


async def test_patches_of_all_three_kinds(registry: Registry) -> None:
    await make(registry, "a")
    for patch in (
        Patch(MERGE_PATCH, {"data": {"b": "2", "a": None}}),
        Patch(STRATEGIC_MERGE_PATCH, {"data": {"c": "3"}}),
        Patch(JSON_PATCH, [{"op": "add", "path": "/data/d", "value": "4"}]),
    ):
        result = await registry.patch(context(), CONFIG_MAPS, "default", "a", patch)
    assert result.record.obj["data"] == {"b": "2", "c": "3", "d": "4"}


async def test_a_json_patch_that_fails_its_test_is_rejected(registry: Registry) -> None:
    await make(registry, "a")
    patch = Patch(JSON_PATCH, [{"op": "test", "path": "/data/a", "value": "9"}])
    with pytest.raises(
        errors.Invalid, match="the server rejected our request due to an error in our request"
    ):
        await registry.patch(context(), CONFIG_MAPS, "default", "a", patch)


async def test_concurrent_patches_all_land(registry: Registry) -> None:
    await make(registry, "a")
    patches = [Patch(MERGE_PATCH, {"data": {f"k{n}": "x"}}) for n in range(5)]
    await asyncio.gather(
        *(registry.patch(context(), CONFIG_MAPS, "default", "a", patch) for patch in patches)
    )
    assert len((await registry.get(CONFIG_MAPS, "default", "a")).obj["data"]) == 6


def _owned(*references: dict[str, Any]) -> dict[str, Any]:
    obj = config_map("a")
    basis = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1"}
    obj["metadata"]["ownerReferences"] = [{**basis, **each} for each in references]
    return obj


@pytest.mark.parametrize(
    ("references", "why"),
    [
        ([{"kind": ""}], "metadata.ownerReferences.kind: Invalid value"),
        ([{"kind": "Event"}], "/v1, Kind=Event is disallowed from being an owner"),
        (
            [{"controller": True}, {"uid": "2", "name": "p", "controller": True}],
            'Found "true" in references for ConfigMap/o and ConfigMap/p',
        ),
    ],
)
async def test_owners_that_cannot_be_are_refused(
    registry: Registry, references: list[dict[str, Any]], why: str
) -> None:
    with pytest.raises(errors.Invalid, match=why):
        await registry.create(context(), CONFIG_MAPS, "default", _owned(*references))


async def test_an_owner_that_is_stated_twice_counts_once(registry: Registry) -> None:
    asked = context()
    record = await registry.create(asked, CONFIG_MAPS, "default", _owned({}, {"name": "p"}, {"uid": "2"}))
    found = record.obj["metadata"]["ownerReferences"]
    assert [(each["name"], each["uid"]) for each in found] == [("o", "1"), ("o", "2")]
    assert asked.warnings[0].endswith("please fix your requests; duplicate UID(s) observed: 1")


async def test_delete_answers_with_a_status(registry: Registry) -> None:
    record = await make(registry, "a")
    result = await registry.delete(context(), CONFIG_MAPS, "default", "a")
    assert result.removed
    assert result.status is not None
    assert result.status["details"] == {"name": "a", "kind": "configmaps", "uid": record.uid}


async def test_finalizers_hold_an_object_until_the_last_is_gone(registry: Registry) -> None:
    obj = config_map("a")
    obj["metadata"]["finalizers"] = ["example.com/x"]
    await registry.create(context(), CONFIG_MAPS, "default", obj)
    result = await registry.delete(context(), CONFIG_MAPS, "default", "a")
    assert not result.removed
    assert result.record.obj["metadata"]["deletionTimestamp"]
    patch = Patch(MERGE_PATCH, {"metadata": {"finalizers": None}})
    await registry.patch(context(), CONFIG_MAPS, "default", "a", patch)
    with pytest.raises(errors.NotFound):
        await registry.get(CONFIG_MAPS, "default", "a")


async def test_no_finalizer_may_come_while_the_object_goes(registry: Registry) -> None:
    obj = config_map("a")
    obj["metadata"]["finalizers"] = ["example.com/x"]
    await registry.create(context(), CONFIG_MAPS, "default", obj)
    await registry.delete(context(), CONFIG_MAPS, "default", "a")
    patch = Patch(MERGE_PATCH, {"metadata": {"finalizers": ["example.com/x", "example.com/y"]}})
    with pytest.raises(errors.Invalid, match="no new finalizers can be added"):
        await registry.patch(context(), CONFIG_MAPS, "default", "a", patch)


async def test_delete_with_another_uid_conflicts(registry: Registry) -> None:
    await make(registry, "a")
    with pytest.raises(errors.Conflict, match="UID in precondition: nope"):
        await registry.delete(context(), CONFIG_MAPS, "default", "a", DeleteOptions(uid="nope"))


async def test_delete_collection_takes_what_is_selected(registry: Registry) -> None:
    await make(registry, "a", labels={"x": "1"})
    await make(registry, "b")
    selected = ListOptions(selection=Selection.parse("x=1"))
    await registry.delete_collection(context(), CONFIG_MAPS, "default", selected)
    left = await registry.list(CONFIG_MAPS, "default")
    assert [record.name for record in left.records] == ["b"]


async def test_delete_collection_shares_transactions_and_tells_the_first_failure(
    registry: Registry,
) -> None:
    for number in range(200):
        await make(registry, f"c{number}")
    found = await registry.delete_collection(context(), CONFIG_MAPS, "default")
    assert len(found.records) == 200
    assert not (await registry.list(CONFIG_MAPS, "default")).records
    await make(registry, "a")
    with pytest.raises(errors.Conflict, match="UID in precondition: nope"):
        await registry.delete_collection(context(), CONFIG_MAPS, "default", options=DeleteOptions(uid="nope"))


async def _finalizers_after(registry: Registry, options: DeleteOptions, *present: str) -> list[str] | None:
    """What deletion makes of an object's finalizers; None when it is gone."""
    obj = config_map("a")
    obj["metadata"]["finalizers"] = list(present)
    await registry.create(context(), CONFIG_MAPS, "default", obj)
    result = await registry.delete(context(), CONFIG_MAPS, "default", "a", options)
    return None if result.removed else result.record.obj["metadata"]["finalizers"]


@pytest.mark.parametrize(
    ("options", "present", "after"),
    [
        (DeleteOptions(), [], None),
        (DeleteOptions(), ["orphan"], ["orphan"]),
        (DeleteOptions(), ["foregroundDeletion"], ["foregroundDeletion"]),
        (DeleteOptions(propagation_policy="Background"), ["orphan"], None),
        (DeleteOptions(propagation_policy="Orphan"), ["foregroundDeletion"], ["orphan"]),
        (DeleteOptions(propagation_policy="Foreground"), ["orphan"], ["foregroundDeletion"]),
        (DeleteOptions(propagation_policy="Foreground"), ["a.b/c"], ["a.b/c", "foregroundDeletion"]),
        (DeleteOptions(propagation_policy="Orphan"), ["orphan", "a.b/c"], ["orphan", "a.b/c"]),
        (DeleteOptions(orphan_dependents=True), [], ["orphan"]),
        (DeleteOptions(orphan_dependents=False), ["orphan"], None),
        (DeleteOptions(orphan_dependents=False), ["foregroundDeletion"], None),
    ],
)
async def test_a_propagation_policy_is_a_finalizer(
    registry: Registry, options: DeleteOptions, present: list[str], after: list[str] | None
) -> None:
    assert await _finalizers_after(registry, options, *present) == after


async def test_a_second_deletion_may_choose_another_policy(registry: Registry) -> None:
    await _finalizers_after(registry, DeleteOptions(propagation_policy="Foreground"))
    again = DeleteOptions(propagation_policy="Orphan")
    result = await registry.delete(context(), CONFIG_MAPS, "default", "a", again)
    assert result.record.obj["metadata"]["finalizers"] == ["orphan"]
    last = DeleteOptions(propagation_policy="Background")
    assert (await registry.delete(context(), CONFIG_MAPS, "default", "a", last)).removed


async def test_a_list_comes_in_chunks_of_one_revision(registry: Registry) -> None:
    for name in "abcde":
        await make(registry, name)
    first = await registry.list(CONFIG_MAPS, "default", ListOptions(limit=2))
    assert first.remaining == 3
    await make(registry, "bb")
    rest = ListOptions(limit=2, continue_token=first.continue_token)
    second = await registry.list(CONFIG_MAPS, "default", rest)
    assert [record.name for record in second.records] == ["c", "d"]
    assert second.revision == first.revision
    last = await registry.list(
        CONFIG_MAPS, "default", ListOptions(limit=2, continue_token=second.continue_token)
    )
    assert [record.name for record in last.records] == ["e"]
    assert last.continue_token == ""


async def test_a_compacted_continue_token_comes_with_a_new_one(registry: Registry, store: Store) -> None:
    for name in "abc":
        await make(registry, name)
    first = await registry.list(CONFIG_MAPS, "default", ListOptions(limit=1))
    await make(registry, "d")
    await store.compact()
    with pytest.raises(errors.Expired) as caught:
        await registry.list(CONFIG_MAPS, "default", ListOptions(limit=1, continue_token=first.continue_token))
    token = caught.value.status()["metadata"]["continue"]
    rest = await registry.list(CONFIG_MAPS, "default", ListOptions(continue_token=token))
    assert [record.name for record in rest.records] == ["b", "c", "d"]


async def test_field_selectors_of_the_kind_and_of_every_kind(registry: Registry) -> None:
    await make(registry, "a")
    await make(registry, "b")
    options = ListOptions(selection=Selection.parse("", "metadata.name!=a"))
    found = await registry.list(CONFIG_MAPS, "", options)
    assert [record.name for record in found.records] == ["b"]
    wrong = ListOptions(selection=Selection.parse("", "data.a=1"))
    with pytest.raises(errors.BadRequest, match="is not a known field selector"):
        await registry.list(CONFIG_MAPS, "", wrong)


async def test_a_watch_begins_with_what_exists(registry: Registry) -> None:
    await make(registry, "a")
    stream = registry.watch(CONFIG_MAPS, "default")
    assert described(await batch(stream)) == [("ADDED", "a")]
    await make(registry, "b")
    assert described(await batch(stream)) == [("ADDED", "b")]
    stream.close()


async def test_leaving_a_selector_is_a_deletion(registry: Registry) -> None:
    await make(registry, "a", labels={"x": "1"})
    options = WatchOptions(selection=Selection.parse("x=1"))
    stream = registry.watch(CONFIG_MAPS, "default", options)
    await batch(stream)
    patch = Patch(MERGE_PATCH, {"metadata": {"labels": {"x": "2"}}})
    updated = await registry.patch(context(), CONFIG_MAPS, "default", "a", patch)
    (event,) = await batch(stream)
    stream.close()
    assert event.type == "DELETED"
    assert event.record.obj["metadata"]["labels"] == {"x": "1"}
    assert event.record.obj["metadata"]["resourceVersion"] == str(updated.record.revision)


async def test_initial_events_end_with_their_bookmark(registry: Registry) -> None:
    await make(registry, "a")
    options = WatchOptions(bookmarks=True, send_initial_events=True, resource_version_match="NotOlderThan")
    stream = registry.watch(CONFIG_MAPS, "default", options)
    events = await batch(stream)
    stream.close()
    assert [event.type for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1].record.obj["metadata"]["annotations"] == {INITIAL_EVENTS_END: "true"}


async def test_idle_watches_get_bookmarks(registry: Registry, store: Store) -> None:
    options = WatchOptions(resource_version="0", bookmarks=True, bookmark_seconds=0.001)
    stream = registry.watch(LEASES, "", options)
    await make(registry, "a")
    (event,) = await batch(stream)
    stream.close()
    assert event.type == "BOOKMARK"
    assert event.record.obj["metadata"]["resourceVersion"] == str(store.revision)


async def test_a_watch_from_a_compacted_revision_is_expired(registry: Registry, store: Store) -> None:
    for name in "abc":
        await make(registry, name)
    await store.compact()
    stream = registry.watch(CONFIG_MAPS, "", WatchOptions(resource_version="1"))
    with pytest.raises(errors.Expired, match="too old resource version: 1"):
        await batch(stream)


DEFINED = [each for each in Kinds().all() if each.group != "metrics.k8s.io"]
"""The metrics' definitions are not among Kubernetes' own: upstream another server has them."""


@pytest.mark.parametrize("each", DEFINED, ids=repr)
def test_every_kind_has_a_type_in_every_served_version(each: Kind) -> None:
    for version in each.versions:
        struct = struct_of(each.group, version, each.kind)
        assert struct is not None
        assert not each.stored or ("status" in struct.fields) == ("status" in each.subresources)
