"""Events go an hour after they were last written."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from kubeling.objects.clock import FakeClock
from server.storage import Record, Store
from server.storage.expiry import Expiry

OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(open_store: OpenStore, clock: FakeClock) -> Store:
    return await open_store(clock=clock)


@pytest.fixture
async def expiry(store: Store, clock: FakeClock) -> AsyncIterator[Expiry]:
    made = Expiry(store, clock, resource="events", lifetime=3600)
    yield made
    await made.stop()


async def create(store: Store, name: str, **fields: object) -> Record:
    return await store.create("events", "ns", name, {"metadata": {"name": name}, **fields})


async def names_after(store: Store, clock: FakeClock, seconds: float) -> list[str]:
    """The Events that are there when all deletions that are due have been made."""
    await clock.advance(seconds)
    await store.create("markers", "", f"m{store.revision}", {"metadata": {}})
    await clock.advance(0)
    await store.create("markers", "", f"m{store.revision}", {"metadata": {}})
    return [record.name for record in store.list("events")]


async def test_an_event_goes_when_its_time_is_over(store: Store, clock: FakeClock, expiry: Expiry) -> None:
    expiry.start()
    await clock.advance(0)
    await create(store, "a")
    assert await names_after(store, clock, 3599) == ["a"]
    assert await names_after(store, clock, 1) == []


async def test_an_event_that_is_written_again_stays_longer(
    store: Store, clock: FakeClock, expiry: Expiry
) -> None:
    expiry.start()
    await clock.advance(0)
    await create(store, "a")
    await create(store, "b")
    await clock.advance(1800)
    await store.update("events", "ns", "a", {"metadata": {"name": "a"}}, expected=None)
    assert await names_after(store, clock, 1800) == ["a"]
    assert await names_after(store, clock, 1800) == []


@pytest.mark.parametrize("field", ["lastTimestamp", "eventTime"])
async def test_what_was_there_before_goes_by_its_own_timestamps(
    store: Store, clock: FakeClock, expiry: Expiry, field: str
) -> None:
    old = (clock.now() - timedelta(seconds=3000)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await create(store, "old", **{field: old})
    await create(store, "odd", **{field: "yesterday"})
    expiry.start()
    assert await names_after(store, clock, 599) == ["odd", "old"]
    assert await names_after(store, clock, 1) == ["odd"]
    assert await names_after(store, clock, 3000) == []


async def test_other_resources_stay(store: Store, clock: FakeClock, expiry: Expiry) -> None:
    expiry.start()
    await store.create("pods", "ns", "a", {"metadata": {"name": "a"}})
    await clock.advance(100_000)
    assert store.get("pods", "ns", "a") is not None
