"""The database stays small however long Leases are renewed and Events come and go."""

import asyncio
from collections.abc import Awaitable, Callable

from kubeling.objects.clock import FakeClock
from server.storage import Store
from server.storage.sqlite import WAL_BYTES

OpenStore = Callable[..., Awaitable[Store]]

NODES, PERIOD = 10, 10
WARM_UP, HOURS = 1800, 3
EVENTS_LIVE = 60
"""How many Events there are at a time."""


async def step(store: Store, number: int) -> None:
    """What ten seconds of a quiet cluster write."""
    lease = {"metadata": {"name": "lease"}, "renewed": number, "filling": "x" * 300}
    writes = [store.update("leases", "ns", f"node-{node}", lease, expected=None) for node in range(NODES)]
    event = {"metadata": {"name": f"event-{number}"}, "message": "x" * 500}
    writes.append(store.create("events", "ns", f"event-{number}", event))
    if number >= EVENTS_LIVE:
        writes.append(store.delete("events", "ns", f"event-{number - EVENTS_LIVE}", expected=None))
    await asyncio.gather(*writes)


async def test_leases_and_events_do_not_make_the_database_grow(open_store: OpenStore) -> None:
    clock = FakeClock()
    store = await open_store(clock=clock)
    for node in range(NODES):
        await store.create("leases", "ns", f"node-{node}", {"metadata": {"name": f"node-{node}"}})
    sizes, histories = [], []
    for number in range(HOURS * 3600 // PERIOD):
        await step(store, number)
        await clock.advance(PERIOD)
        if number * PERIOD >= WARM_UP and number % 30 == 0:
            await store.compact(0)  # waits for the one that runs
            usage = await store.usage()
            assert usage.size is not None
            sizes.append(usage.size)
            histories.append(usage.revision - usage.compacted)
    in_ten_minutes = (NODES + 2) * 600 // PERIOD
    assert max(histories) <= in_ten_minutes + 2 * (NODES + 2)
    assert min(histories) >= in_ten_minutes // 2 - (NODES + 2)
    if not store.shared:  # PostgreSQL's autovacuum does not know of our clock
        assert max(sizes) < WAL_BYTES + 2 * 2**20
        assert sizes[-1] <= max(sizes[: len(sizes) // 2]) * 1.05
