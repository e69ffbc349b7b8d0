"""Who is next, who has to wait, and what ends the waiting."""

from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks
from server.scheduler.framework import Action, ClusterEvent, Wake
from server.scheduler.pod_info import PodInfo
from server.scheduler.queue import EXTENDER, FEW, NO_NODES, SchedulingQueue, Waiting

LABELS = ClusterEvent("Node", Action.LABELS)
GONE = ClusterEvent("AssignedPod", Action.DELETE)
WAKES = {
    "Node": [
        ("Labels", Wake("Node", Action.LABELS)),
        ("Picky", Wake("Node", Action.LABELS, lambda *_: False)),
    ],
    "AssignedPod": [("Room", Wake("AssignedPod", Action.DELETE))],
}


def a_queue(clock: FakeClock) -> SchedulingQueue:
    return SchedulingQueue(clock, lambda name: WAKES)


def pod(name: str, priority: int = 0, uid: str = "") -> PodInfo:
    return PodInfo({"metadata": {"name": name, "uid": uid or f"uid-{name}"}, "spec": {"priority": priority}})


async def next_within(queue: SchedulingQueue, clock: FakeClock, seconds: float) -> Waiting | None:
    async with Tasks("test") as tasks:
        task = tasks.start(queue.pop(), name="pop")
        await clock.advance(seconds)
        return task.result() if task.done() else None


async def test_higher_priority_goes_first_then_the_older() -> None:
    queue = a_queue(FakeClock())
    for each in (pod("a"), pod("b"), pod("urgent", 10)):
        queue.add(each)
    assert [(await queue.pop()).key for _ in range(3)] == ["urgent", "a", "b"]


async def test_a_pod_is_queued_once_and_not_after_removal() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.add(pod("a"))
    queue.add(pod("b"))
    queue.remove("b")
    assert (await queue.pop()).key == "a"
    assert await next_within(queue, clock, 1000) is None


async def test_failures_back_off_from_one_to_ten_seconds() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    waiting = await queue.pop()
    for delay in (1, 2, 4, 8, 10, 10):
        queue.failed(waiting)
        assert await next_within(queue, clock, delay - 0.001) is None
        assert await next_within(queue, clock, 0.001) is waiting


async def test_an_unschedulable_pod_waits_for_an_event_that_helps() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {"Labels", "Other"})
    queue.happened(GONE)
    assert await next_within(queue, clock, 5) is None
    queue.happened(LABELS)
    assert await next_within(queue, clock, 0) is not None


async def test_an_event_that_the_plug_in_says_does_not_help() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {"Picky"})
    queue.happened(LABELS)
    assert await next_within(queue, clock, 100) is None


async def test_a_pod_for_which_there_were_no_nodes_waits_for_one() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {NO_NODES})
    queue.happened(LABELS)
    assert await next_within(queue, clock, 5) is None
    queue.happened(ClusterEvent("Node", Action.ADD))
    assert await next_within(queue, clock, 0) is not None


async def test_a_pod_that_an_extender_rejected_is_woken_by_anything() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {EXTENDER})
    queue.happened(ClusterEvent("PersistentVolume", Action.UPDATE))
    assert await next_within(queue, clock, 0) is not None


async def test_with_nothing_else_to_do_backoff_is_not_waited_for() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), {"Room"})
    queue.happened(GONE)
    queue.add(pod("b"))
    assert [(await queue.pop()).key, (await queue.pop()).key] == ["b", "a"]
    assert clock.monotonic() == 0


async def test_of_very_many_each_waits_for_its_backoff() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    for number in range(FEW + 1):
        queue.add(pod(str(number)))
    for _ in range(FEW + 1):
        queue.unschedulable(await queue.pop(), {"Room"})
    queue.happened(GONE)
    assert await next_within(queue, clock, 0.9) is None
    assert await next_within(queue, clock, 0.1) is not None


async def test_what_happens_while_a_pod_is_in_flight_is_not_lost() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.add(pod("b"))
    first, second = await queue.pop(), await queue.pop()
    queue.happened(GONE)
    queue.unschedulable(second, {"Labels"})
    queue.unschedulable(first, {"Room"})
    assert await next_within(queue, clock, 0) is first
    queue.unschedulable(first, {"Room"})
    assert await next_within(queue, clock, 100) is None


async def test_a_pod_that_goes_while_it_is_in_flight_is_not_given_back() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    waiting = await queue.pop()
    queue.happened(GONE)
    queue.remove("a")
    assert not queue.is_in_flight(waiting)
    queue.unschedulable(waiting, {"Room"})
    assert await next_within(queue, clock, 1000) is None


async def test_a_change_of_the_pod_itself_wakes_it() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), ())
    await clock.advance(5)
    queue.changed("a")
    assert await next_within(queue, clock, 0) is not None


async def test_after_five_minutes_a_pod_is_tried_anyway() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    queue.unschedulable(await queue.pop(), ())
    assert await next_within(queue, clock, 299) is None
    assert await next_within(queue, clock, 1) is not None


async def test_a_pod_made_anew_under_the_same_name_is_another() -> None:
    clock = FakeClock()
    queue = a_queue(clock)
    queue.add(pod("a"))
    old = await queue.pop()
    queue.add(pod("a", uid="other"))
    queue.failed(old)
    assert (await queue.pop()).pod.uid == "other"
    assert await next_within(queue, clock, 100) is None
