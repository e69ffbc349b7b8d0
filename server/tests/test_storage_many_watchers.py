"""A store with so many watchers that events gather before they are told."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from server.storage import Event, Store
from server.storage.fan import FEW

OpenStore = Callable[..., Awaitable[Store]]


async def create(store: Store, name: str) -> None:
    obj: dict[str, Any] = {"metadata": {"name": name, "uid": name}}
    await store.create("pods", "ns", name, obj)


async def test_each_of_many_watchers_sees_every_event_once_and_in_order(open_store: OpenStore) -> None:
    store = await open_store()
    watches = [store.watch("pods", since=0) for _ in range(FEW + 4)]
    for number in range(5):
        await create(store, f"pod-{number}")
    for watch in watches:
        seen: list[int] = []
        while watch.revision < 5 or len(seen) < 5:
            seen += [event.revision for event in await anext(watch)]
        assert seen == [1, 2, 3, 4, 5]
        watch.close()


async def test_a_watch_that_begins_during_a_burst_misses_and_repeats_nothing(open_store: OpenStore) -> None:
    store = await open_store()
    watches = [store.watch("pods", since=0) for _ in range(FEW + 4)]
    await create(store, "first")
    await create(store, "second")
    late = store.watch("pods", since=1)
    await create(store, "third")
    seen: list[int] = []
    while len(seen) < 2:
        seen += [event.revision for event in await anext(late)]
    assert seen == [2, 3]
    for watch in [*watches, late]:
        watch.close()


async def test_a_sink_takes_events_until_it_refuses(open_store: OpenStore) -> None:
    store = await open_store()
    watch = store.watch("pods", since=0)
    taken: list[int] = []

    def sink(events: Sequence[Event]) -> bool:
        if len(taken) == 2:
            return False
        taken.extend(event.revision for event in events)
        return True

    watch.divert(sink)
    for name in ("a", "b", "c", "d"):
        await create(store, name)
    assert taken == [1, 2]
    assert [event.revision for event in await anext(watch)] == [3, 4]
    watch.close()
