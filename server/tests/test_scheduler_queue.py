"""Who is next, who has to wait, and what ends the waiting."""

from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.scheduler.framework import ClusterEvent
from server.scheduler.queue import SchedulingQueue, Waiting


def pod(name: str, priority: int = 0) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {"priority": priority}}


async def next_within(queue: SchedulingQueue, clock: FakeClock, seconds: float) -> Waiting | None:
    async with Tasks("test") as tasks:
        task = tasks.start(queue.pop(), name="pop")
        await clock.advance(seconds)
        return task.result() if task.done() else None


async def test_higher_priority_goes_first_then_the_older() -> None:
    queue = SchedulingQueue(FakeClock())
    for each in (pod("a"), pod("b"), pod("urgent", 10)):
        queue.add(each)
    assert [(await queue.pop()).key for _ in range(3)] == ["urgent", "a", "b"]


async def test_a_pod_is_queued_once_and_not_after_removal() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    queue.add(pod("a"))
    queue.add(pod("b"))
    queue.remove("b")
    assert (await queue.pop()).key == "a"
    assert await next_within(queue, clock, 1000) is None


async def test_failures_back_off_from_one_to_ten_seconds() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    waiting = await queue.pop()
    for delay in (1, 2, 4, 8, 10, 10):
        queue.failed(waiting)
        assert await next_within(queue, clock, delay - 0.001) is None
        assert await next_within(queue, clock, 0.001) is waiting


async def test_an_unschedulable_pod_waits_for_a_relevant_event() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {ClusterEvent.NODE_LABELS})
    queue.happened(ClusterEvent.POD_GONE)
    assert await next_within(queue, clock, 5) is None
    queue.happened(ClusterEvent.NODE_LABELS)
    assert await next_within(queue, clock, 0) is not None


async def test_an_event_does_not_shorten_the_backoff() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {ClusterEvent.POD_GONE})
    queue.happened(ClusterEvent.POD_GONE)
    assert await next_within(queue, clock, 0.9) is None
    assert await next_within(queue, clock, 0.1) is not None


async def test_a_change_of_the_pod_itself_wakes_it() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), ())
    await clock.advance(5)
    queue.changed(pod("a"))
    assert await next_within(queue, clock, 0) is not None


async def test_after_five_minutes_a_pod_is_tried_anyway() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), ())
    assert await next_within(queue, clock, 299) is None
    assert await next_within(queue, clock, 1) is not None


async def test_a_pod_made_anew_under_the_same_name_is_another() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock)
    queue.add(pod("a"))
    old = await queue.pop()
    queue.add({"metadata": {"name": "a", "uid": "other"}, "spec": {}})
    queue.failed(old)
    assert (await queue.pop()).uid == "other"
    assert await next_within(queue, clock, 100) is None
