"""The server's own informers: views of the store, told of every change."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.handlers import AT_ONCE
from kubeling.client.selection import selection
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.inprocess.informer import LocalInformer
from server.storage.limits import Limits
from server.storage.record import Record
from server.storage.store import Store


def decode(record: Record, keep: bool) -> Object:
    return record.obj


def pod(name: str, node: str = "") -> Object:
    return {"metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}"}, "spec": {"nodeName": node}}


class Seen(list[tuple[str, str]]):
    """A handler that notes what it is told."""

    def __call__(self, kind: str, obj: Object, old: Object | None) -> None:
        self.append((kind, obj["metadata"]["name"]))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock(), limits=Limits(watch_queue=3))
    yield store
    await store.close()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks("test") as tasks:
        yield tasks


def informer(store: Store, field_selector: str = "") -> LocalInformer:
    matches = selection(None, field_selector=field_selector)
    return LocalInformer(store, "pods", namespace=None, matches=matches, decode=decode)


async def settle() -> None:
    await FakeClock().advance(0)


async def test_a_handler_learns_what_is_there_and_what_comes(store: Store, tasks: Tasks) -> None:
    await store.create("pods", "ns", "a", pod("a"))
    view, seen = informer(store), Seen()
    view.add_handler(seen)
    await view.wait_synced()
    assert seen == [("ADDED", "a")]
    tasks.start(view.run(tasks), name="view")
    await store.create("pods", "ns", "b", pod("b"))
    await store.update("pods", "ns", "a", pod("a", "n"), expected=None)
    await store.delete("pods", "ns", "b", expected=None)
    await settle()
    assert seen[1:] == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_write_is_visible_at_once(store: Store) -> None:
    view = informer(store)
    record = await store.create("pods", "ns", "a", pod("a"))
    assert view.get("ns", "a") is record.obj
    assert view.list("ns") == [record.obj]


async def test_a_selection_shows_what_enters_and_leaves_it(store: Store, tasks: Tasks) -> None:
    view, seen = informer(store, "spec.nodeName=n"), Seen()
    view.add_handler(seen)
    tasks.start(view.run(tasks), name="view")
    await store.create("pods", "ns", "a", pod("a"))
    await store.update("pods", "ns", "a", pod("a", "n"), expected=None)
    await store.update("pods", "ns", "a", pod("a", "other"), expected=None)
    await settle()
    assert seen == [("ADDED", "a"), ("DELETED", "a")]
    assert view.get("ns", "a") is None


async def test_history_that_is_gone_is_made_up_for(store: Store, tasks: Tasks) -> None:
    await store.create("pods", "ns", "gone", pod("gone"))
    await store.create("pods", "ns", "changed", pod("changed"))
    view, seen = informer(store), Seen()
    view.add_handler(seen)
    await store.delete("pods", "ns", "gone", expected=None)
    await store.update("pods", "ns", "changed", pod("changed", "n"), expected=None)
    await store.create("pods", "ns", "new", pod("new"))
    await store.compact()
    tasks.start(view.run(tasks), name="view")
    await settle()
    assert seen[2:] == [("DELETED", "gone"), ("MODIFIED", "changed"), ("ADDED", "new")]


async def test_falling_behind_loses_nothing(store: Store, tasks: Tasks) -> None:
    view, seen = informer(store), Seen()
    view.add_handler(seen)
    tasks.start(view.run(tasks), name="view")
    await settle()
    async with Tasks("writers") as writers:
        written = [
            writers.start(store.create("pods", "ns", f"p{number}", pod(f"p{number}")), name="write")
            for number in range(10)
        ]
        for task in written:
            await task
    await settle()
    assert sorted(seen) == [("ADDED", f"p{number}") for number in range(10)]


async def test_many_objects_are_told_bit_by_bit_and_changes_wait_their_turn(
    store: Store, tasks: Tasks
) -> None:
    for number in range(AT_ONCE + 1):
        await store.create("pods", "ns", f"p{number}", pod(f"p{number}"))
    view, seen = informer(store), Seen()
    tasks.start(view.run(tasks), name="informer")
    view.add_handler(seen)
    assert not view.synced
    await store.delete("pods", "ns", "p0", expected=None)
    await view.wait_synced()
    assert view.synced
    await settle()
    assert len(seen) == AT_ONCE + 2
    assert seen[-1] == ("DELETED", "p0")


async def test_a_handler_that_is_removed_hears_no_more_of_many_objects(store: Store) -> None:
    for number in range(AT_ONCE * 2):
        await store.create("pods", "ns", f"p{number}", pod(f"p{number}"))
    view, seen = informer(store), Seen()
    view.add_handler(seen)
    view.remove_handler(seen)
    await view.wait_synced()
    await settle()
    assert len(seen) == AT_ONCE
