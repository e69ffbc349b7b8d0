"""The queue's promises: no key twice at once, no change lost, backoff per key."""

import pytest

from kubeling.client.workqueue import QueueClosed, WorkQueue
from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks


async def test_a_key_is_queued_once() -> None:
    queue = WorkQueue(FakeClock())
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_a_key_added_while_worked_on_comes_again_after_done() -> None:
    queue = WorkQueue(FakeClock())
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_backoff_doubles_per_key_until_forgotten() -> None:
    queue = WorkQueue(FakeClock())
    assert [queue.add_rate_limited("a") for _ in range(3)] == [0.005, 0.01, 0.02]
    assert queue.add_rate_limited("b") == 0.005
    queue.forget("a")
    assert queue.add_rate_limited("a") == 0.005
    assert [queue.add_rate_limited("c") for _ in range(30)][-1] == 1000


async def test_the_earliest_delayed_add_wins() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add_after("a", 2)
    queue.add_after("a", 5)
    await clock.advance(2)
    assert await queue.get() == "a"
    queue.done("a")
    await clock.advance(20)
    assert queue.idle


async def test_nothing_sleeps_while_nothing_is_delayed() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    queue.add_after("a", 1)
    await clock.advance(1)
    assert clock.sleepers == 0


async def test_waiting_workers_each_get_one_key() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    taken: list[str] = []

    async def take() -> None:
        taken.append(await queue.get())

    async with Tasks("test") as tasks:
        for number in range(3):
            tasks.start(take(), name=f"take-{number}")
        await clock.advance(0)
        for key in "abc":
            queue.add(key)
        await clock.advance(0)
    assert sorted(taken) == ["a", "b", "c"]


async def test_a_cancelled_worker_passes_its_turn_on() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    taken: list[str] = []

    async def take() -> None:
        taken.append(await queue.get())

    async with Tasks("test") as tasks:
        first = tasks.start(take(), name="first")
        tasks.start(take(), name="second")
        await clock.advance(0)
        queue.add("a")
        first.cancel()
        await clock.advance(0)
    assert taken == ["a"]


async def test_close_wakes_whoever_waits() -> None:
    queue = WorkQueue(FakeClock())
    await queue.close()
    with pytest.raises(QueueClosed):
        await queue.get()
