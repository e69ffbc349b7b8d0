"""What a store promises, whatever database is behind it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.storage import Event, Record, Store, Watch
from server.storage.errors import (
    Compacted,
    DatabaseUnavailable,
    FutureRevision,
    InvalidObject,
    KeyExists,
    KeyNotFound,
    QueueFull,
    RevisionConflict,
    StoreClosed,
    WatchOverflow,
)

OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()


def pod(name: str, value: object = None, **labels: str) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels}, "value": value}


async def create(store: Store, name: str, value: object = None, *, namespace: str = "ns") -> Record:
    return await store.create("pods", namespace, name, pod(name, value))


async def update(store: Store, name: str, value: object, *, expected: int | None = None) -> Record:
    return await store.update("pods", "ns", name, pod(name, value), expected=expected)


async def delete(store: Store, name: str, *, expected: int | None = None) -> Record:
    return await store.delete("pods", "ns", name, expected=expected)


def names(records: Sequence[Record]) -> list[tuple[str, str]]:
    return [(record.namespace, record.name) for record in records]


def seen(events: Sequence[Event]) -> list[tuple[str, str, int]]:
    return [(event.type, event.record.name, event.revision) for event in events]


async def read_all(watch: Watch, *, until: int) -> list[Event]:
    found: list[Event] = []
    while watch.revision < until:
        found += await anext(watch)
    return found


def rows(datastore: str) -> int:
    engine = create_engine(datastore.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        count: int = connection.execute(text("SELECT count(*) FROM revisions")).scalar_one()
    engine.dispose()
    return count


# Writes


async def test_revisions_count_up_without_gaps_over_all_resources(store: Store) -> None:
    first = await create(store, "a")
    second = await store.create("nodes", "", "n", pod("n"))
    third = await delete(store, "a")
    assert [first.revision, second.revision, third.revision, store.revision] == [1, 2, 3, 3]


async def test_a_write_that_is_refused_takes_no_revision(store: Store) -> None:
    await create(store, "a")
    with pytest.raises(KeyExists, match="pods ns/a exists"):
        await create(store, "a")
    assert (await create(store, "b")).revision == 2


async def test_the_record_carries_its_revision_in_its_body(store: Store) -> None:
    record = await create(store, "a", "text")
    assert record.obj["metadata"]["resourceVersion"] == "1"
    assert (record.uid, record.obj["value"]) == ("uid-a", "text")


async def test_the_caller_s_object_is_left_as_it_was(store: Store) -> None:
    obj = pod("a")
    await store.create("pods", "ns", "a", obj)
    assert obj == pod("a")


async def test_an_update_keeps_the_revision_of_creation(store: Store) -> None:
    await create(store, "a")
    record = await update(store, "a", "new")
    assert (record.created_revision, record.revision) == (1, 2)
    assert store.get("pods", "ns", "a") is record


async def test_an_update_at_another_revision_is_refused(store: Store) -> None:
    await create(store, "a")
    await update(store, "a", 1, expected=1)
    with pytest.raises(RevisionConflict, match="expected revision 1, found 2"):
        await update(store, "a", 2, expected=1)


async def test_what_is_not_there_can_be_neither_updated_nor_deleted(store: Store) -> None:
    with pytest.raises(KeyNotFound, match="pods ns/a does not exist"):
        await update(store, "a", 1)
    with pytest.raises(KeyNotFound):
        await delete(store, "a")


async def test_a_deletion_records_the_final_state_at_its_own_revision(store: Store) -> None:
    await create(store, "a", 1)
    final = await store.delete("pods", "ns", "a", expected=1, obj=pod("a", "final"))
    assert (final.revision, final.obj["value"], final.obj["metadata"]["resourceVersion"]) == (2, "final", "2")
    assert store.get("pods", "ns", "a") is None


async def test_a_deletion_at_another_revision_is_refused(store: Store) -> None:
    await create(store, "a")
    with pytest.raises(RevisionConflict):
        await delete(store, "a", expected=7)


async def test_a_name_can_be_used_again(store: Store) -> None:
    await create(store, "a")
    await delete(store, "a")
    assert (await create(store, "a")).created_revision == 3


async def test_an_object_that_is_not_json_is_refused_alone(store: Store) -> None:
    good, bad = await asyncio.gather(create(store, "a"), create(store, "b", object()), return_exceptions=True)
    assert isinstance(good, Record)
    assert isinstance(bad, InvalidObject)


async def test_an_object_without_metadata_is_refused(store: Store) -> None:
    with pytest.raises(InvalidObject, match="pods ns/a has no metadata"):
        await store.create("pods", "ns", "a", {"metadata": None})


async def test_a_write_that_fails_unexpectedly_is_answered_and_the_next_succeeds(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DatabaseUnavailable, match="for a reason that only the log tells"):
        await store.create("pods", "ns", "\ud800", pod("a"))
    assert "storage/batches failed" in caplog.text
    assert (await create(store, "b")).revision == 1


async def test_writes_of_one_batch_see_each_other(store: Store) -> None:
    answers = await asyncio.gather(
        create(store, "a"),
        create(store, "a"),
        update(store, "a", 1, expected=1),
        update(store, "a", 2, expected=1),
        delete(store, "a", expected=2),
        create(store, "a"),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Record, KeyExists, Record, RevisionConflict, Record, Record]
    assert store.revision == 4


async def test_a_cancelled_caller_disturbs_nobody(store: Store) -> None:
    writes = [asyncio.ensure_future(create(store, f"p{i}")) for i in range(20)]  # noqa: TID251
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(answer, Record) for answer in answers[1::2])
    assert (await create(store, "last")).revision == store.revision == len(store.list("pods"))


async def test_more_writes_than_may_wait_are_refused_at_once(open_store: OpenStore) -> None:
    store = await open_store(pending_writes=2)
    answers = await asyncio.gather(*(create(store, f"p{i}") for i in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Record, Record, QueueFull, QueueFull]
    assert (await create(store, "later")).revision == 3


async def test_more_writes_than_a_batch_keep_their_order(open_store: OpenStore) -> None:
    store = await open_store(batch=7)
    records = await asyncio.gather(*(create(store, f"p{i}") for i in range(100)))
    assert [record.revision for record in records] == list(range(1, 101))


async def test_closing_commits_what_waits_and_refuses_what_comes(store: Store) -> None:
    write = asyncio.ensure_future(create(store, "a"))  # noqa: TID251
    await asyncio.sleep(0)
    await store.close()
    assert (await write).revision == 1
    with pytest.raises(StoreClosed):
        await create(store, "b")
    await store.close()


# Reads


async def test_lists_are_in_order_of_namespace_and_name(store: Store) -> None:
    for namespace, name in (("b", "a"), ("a", "z"), ("a-b", "m"), ("a", "b")):
        await create(store, name, namespace=namespace)
    assert names(store.list("pods")) == [("a", "b"), ("a", "z"), ("a-b", "m"), ("b", "a")]
    assert names(store.list("pods", "a")) == [("a", "b"), ("a", "z")]
    assert names(store.list("pods", "none")) == names(store.list("nodes")) == []


async def test_a_list_follows_later_writes_without_changing_answers_already_given(store: Store) -> None:
    await create(store, "b")
    before = store.list("pods")
    await create(store, "a")
    await delete(store, "b")
    assert names(before) == [("ns", "b")]
    assert names(store.list("pods")) == [("ns", "a")]


async def test_labels_are_known_without_asking_for_the_object(store: Store) -> None:
    await store.create("pods", "ns", "a", pod("a", app="web"))
    await store.create("pods", "ns", "b", {"metadata": {"name": "b"}})
    assert [record.labels for record in store.list("pods")] == [{"app": "web"}, {}]


async def test_a_copy_can_be_changed_without_harm(store: Store) -> None:
    record = await create(store, "a", 1)
    record.copy()["value"] = 2
    assert record.obj["value"] == 1
    assert record.obj is record.obj


# Lists of an older revision


async def test_a_list_in_chunks_shows_one_revision(store: Store) -> None:
    for name in "abcde":
        await create(store, name, 1)
    first, left = await store.list_at("pods", revision=5, limit=2)
    assert (names(first), left) == ([("ns", "a"), ("ns", "b")], 3)
    await update(store, "c", 2)
    await delete(store, "d")
    await create(store, "cc")
    second, left = await store.list_at("pods", revision=5, after=("ns", "b"), limit=2)
    assert (names(second), left) == ([("ns", "c"), ("ns", "d")], 1)
    assert [record.obj["value"] for record in second] == [1, 1]
    third, left = await store.list_at("pods", revision=5, after=("ns", "d"), limit=2)
    assert (names(third), left) == ([("ns", "e")], 0)


async def test_an_older_list_of_one_namespace_has_nothing_of_others(store: Store) -> None:
    await create(store, "a")
    await create(store, "b", namespace="other")
    await delete(store, "a")
    assert names((await store.list_at("pods", "ns", revision=2))[0]) == [("ns", "a")]


async def test_a_chunk_may_start_after_a_key_that_is_gone(store: Store) -> None:
    for name in "abc":
        await create(store, name)
    await delete(store, "b")
    found, left = await store.list_at("pods", revision=4, after=("ns", "b"), limit=5)
    assert (names(found), left) == ([("ns", "c")], 0)


async def test_a_list_of_a_revision_that_is_gone_or_to_come_is_refused(store: Store) -> None:
    await create(store, "a")
    await update(store, "a", 1)
    await store.compact()
    with pytest.raises(Compacted, match="revision 1 has been compacted"):
        await store.list_at("pods", revision=1)
    with pytest.raises(FutureRevision, match="Too large resource version: 3, current: 2"):
        await store.list_at("pods", revision=3)


# Watches


async def test_a_watch_sees_what_follows_its_revision(store: Store) -> None:
    await create(store, "a", 1)
    async with store.watch("pods", since=1) as watch:
        await update(store, "a", 2)
        await delete(store, "a")
        found = await read_all(watch, until=3)
    assert seen(found) == [("MODIFIED", "a", 2), ("DELETED", "a", 3)]
    assert [event.previous and event.previous.obj["value"] for event in found] == [1, 2]


async def test_a_watch_waits_for_news(store: Store) -> None:
    async with store.watch("pods", since=0) as watch:
        news = asyncio.ensure_future(anext(watch))  # noqa: TID251
        await asyncio.sleep(0)
        assert not news.done()
        await create(store, "a")
        assert seen(await news) == [("ADDED", "a", 1)]


async def test_a_watch_sees_its_resource_and_namespace_only(store: Store) -> None:
    async with store.watch("pods", namespace="ns", since=0) as watch:
        await create(store, "a", namespace="other")
        await store.create("nodes", "", "n", pod("n"))
        await create(store, "b")
        assert seen(await read_all(watch, until=3)) == [("ADDED", "b", 3)]


async def test_an_idle_watch_is_up_to_date_with_what_does_not_concern_it(store: Store) -> None:
    async with store.watch("pods", since=0) as watch:
        await store.create("nodes", "", "n", pod("n"))
        assert watch.revision == 1
        await create(store, "a")
        assert watch.revision == 0


async def test_a_cancelled_wait_loses_no_event(store: Store) -> None:
    async with store.watch("pods", since=0) as watch:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(watch)
        await create(store, "a")
        assert seen(await anext(watch)) == [("ADDED", "a", 1)]


@pytest.mark.parametrize("recent", [2, 1024])
async def test_events_come_from_log_and_memory_alike(open_store: OpenStore, recent: int) -> None:
    store = await open_store(recent_events=recent)
    await create(store, "a", 0)
    for value in range(1, 8):
        await update(store, "a", value)
    await delete(store, "a")
    await create(store, "a", 9)
    async with store.watch("pods", since=0) as watch:
        found = await read_all(watch, until=10)
    kinds = ["ADDED", *["MODIFIED"] * 7, "DELETED", "ADDED"]
    assert seen(found) == [(kind, "a", revision) for revision, kind in enumerate(kinds, start=1)]
    before = [event.previous.obj["value"] if event.previous else None for event in found]
    assert before == [None, *range(8), None]


async def test_a_long_log_is_replayed_in_chunks(open_store: OpenStore) -> None:
    store = await open_store(recent_events=1)
    await asyncio.gather(*(create(store, f"p{i}", namespace=f"ns{i % 2}") for i in range(1200)))
    async with store.watch("pods", namespace="ns1", since=0) as watch:
        found = await read_all(watch, until=1200)
    assert [event.revision for event in found] == list(range(2, 1201, 2))


async def test_old_events_leave_memory_and_are_still_seen(open_store: OpenStore) -> None:
    clock = FakeClock()
    store = await open_store(clock=clock, recent_seconds=10)
    await create(store, "a")
    await clock.advance(11)
    await create(store, "b")
    async with store.watch("pods", since=0) as watch:
        assert seen(await read_all(watch, until=2)) == [("ADDED", "a", 1), ("ADDED", "b", 2)]


async def test_a_watcher_that_falls_behind_is_ended_and_can_resume(open_store: OpenStore) -> None:
    store = await open_store(watch_queue=2)
    async with store.watch("pods", since=0) as slow:
        await create(store, "a")
        await anext(slow)
        for name in "bcd":
            await create(store, name)
        with pytest.raises(WatchOverflow, match="fell behind after revision 1"):
            await anext(slow)
    async with store.watch("pods", since=slow.revision) as resumed:
        with pytest.raises(WatchOverflow):
            await anext(resumed)


async def test_a_watch_from_a_revision_that_is_gone_or_to_come_is_refused(store: Store) -> None:
    await create(store, "a")
    await update(store, "a", 1)
    await store.compact()
    with pytest.raises(Compacted):
        store.watch("pods", since=1)
    with pytest.raises(FutureRevision):
        store.watch("pods", since=3)
    store.watch("pods", since=2).close()


async def test_a_replay_that_compaction_overtakes_ends(open_store: OpenStore) -> None:
    store = await open_store(recent_events=1)
    await create(store, "a")
    await update(store, "a", 1)
    await update(store, "a", 2)
    async with store.watch("pods", since=0) as watch:
        await store.compact()
        with pytest.raises(Compacted):
            await anext(watch)


async def test_a_closed_watch_ends_its_iteration(store: Store) -> None:
    watch = store.watch("pods", since=0)
    news = asyncio.ensure_future(anext(watch, None))  # noqa: TID251
    await asyncio.sleep(0)
    watch.close()
    assert await news is None
    await create(store, "a")
    assert [event async for event in watch] == []
    assert watch.revision == 0


async def test_closing_the_store_ends_its_watches(open_store: OpenStore) -> None:
    store = await open_store(recent_events=1)
    await create(store, "a")
    await create(store, "b")
    waiting, replaying = store.watch("pods", since=2), store.watch("pods", since=0)
    await store.close()
    assert [event async for event in waiting] == []
    assert [event async for event in replaying] == []


# Starting again


async def test_everything_is_there_after_a_restart(open_store: OpenStore) -> None:
    first = await open_store()
    await create(first, "a", 1)
    await create(first, "b", 1)
    await update(first, "b", 2)
    await delete(first, "a")
    await first.close()
    second = await open_store()
    assert (second.revision, second.cluster_id) == (4, first.cluster_id)
    assert names(second.list("pods")) == [("ns", "b")]
    record = second.get("pods", "ns", "b")
    assert record is not None
    assert (record.uid, record.revision, record.created_revision, record.obj["value"]) == ("uid-b", 3, 2, 2)
    assert (await create(second, "a")).revision == 5


async def test_a_watch_resumes_after_a_restart(open_store: OpenStore) -> None:
    first = await open_store()
    await create(first, "a")
    await delete(first, "a")
    await first.close()
    second = await open_store()
    async with second.watch("pods", since=1) as watch:
        await create(second, "b")
        assert seen(await read_all(watch, until=3)) == [("DELETED", "a", 2), ("ADDED", "b", 3)]


async def test_the_last_revision_survives_though_its_row_is_compacted(open_store: OpenStore) -> None:
    first = await open_store()
    await create(first, "a")
    await delete(first, "a")
    await first.compact()
    await first.close()
    second = await open_store()
    assert (second.revision, second.compacted_revision) == (2, 2)
    assert (await create(second, "a")).revision == 3


# Compaction


async def test_compaction_deletes_what_was_superseded_and_tombstones(store: Store, datastore: str) -> None:
    await create(store, "a")
    await create(store, "b")
    await update(store, "a", 1)
    await delete(store, "b")
    await create(store, "b")
    assert rows(datastore) == 5
    await store.compact()
    assert (rows(datastore), store.compacted_revision) == (2, 5)
    assert names(store.list("pods")) == [("ns", "a"), ("ns", "b")]


async def test_compaction_keeps_what_later_history_needs(store: Store) -> None:
    await create(store, "a", 1)
    await update(store, "a", 2)
    await update(store, "a", 3)
    await store.compact(2)
    found, _ = await store.list_at("pods", revision=2)
    assert [record.obj["value"] for record in found] == [2]
    async with store.watch("pods", since=2) as watch:
        (event,) = await anext(watch)
    assert event.previous is not None
    assert event.previous.obj["value"] == 2


async def test_compaction_of_much_goes_in_many_small_steps(store: Store, datastore: str) -> None:
    await create(store, "a")
    await asyncio.gather(*(update(store, "a", value) for value in range(1000)))
    await store.compact()
    assert (rows(datastore), store.compacted_revision) == (1, 1001)


async def test_history_is_kept_for_its_time_and_no_longer_than_twice(open_store: OpenStore) -> None:
    clock = FakeClock()
    store = await open_store(clock=clock, retention_seconds=300)
    await create(store, "a")
    await update(store, "a", 1)
    await clock.advance(299)
    await update(store, "a", 2)
    await clock.advance(1)
    await store.compact(0)  # waits for the compaction that runs
    assert store.compacted_revision == 2
    await clock.advance(300)
    await store.compact(0)
    assert (store.compacted_revision, clock.sleepers) == (3, 0)


async def test_nothing_is_scheduled_while_nothing_is_garbage(open_store: OpenStore) -> None:
    clock = FakeClock()
    store = await open_store(clock=clock)
    await create(store, "a")
    await clock.advance(0)
    assert clock.sleepers == 0
    await update(store, "a", 1)
    await clock.advance(0)
    assert clock.sleepers == 1


async def test_garbage_of_the_last_run_is_found_at_the_next(open_store: OpenStore) -> None:
    first = await open_store()
    await create(first, "a")
    await delete(first, "a")
    await create(first, "a")
    await first.close()
    clock = FakeClock()
    second = await open_store(clock=clock, retention_seconds=300)
    await clock.advance(300)
    await second.compact(0)
    assert second.compacted_revision == 3


async def test_too_much_history_goes_before_its_time(open_store: OpenStore) -> None:
    store = await open_store(retained_revisions=100, batch=10)
    await create(store, "a")
    for value in range(15):
        await asyncio.gather(*(update(store, "a", value) for _ in range(10)))
    await store.compact(0)
    assert 50 <= store.compacted_revision <= 101


async def test_writes_go_on_during_compaction(store: Store) -> None:
    await create(store, "a")
    await asyncio.gather(*(update(store, "a", value) for value in range(600)))
    records: list[Any] = await asyncio.gather(store.compact(), *(create(store, f"p{i}") for i in range(50)))
    assert [record.revision for record in records[1:]] == list(range(602, 652))
