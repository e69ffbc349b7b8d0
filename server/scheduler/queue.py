"""Pods that wait for a node.

             add                  pop
    (new) ────────> active ──────────────> in flight ──> (bound)
                      ^ ^                  │      │
          backoff over│ │event that helps  │error │no node
                  backing off <────────────┘      v
                         ^─────────────────── unschedulable

The highest priority goes first, then who waits longest. Backoff is 1 s doubling to 10 s; while nothing else
is to be done, pods that back off from having found no node are tried before it is over. What happens while
a pod is in flight is kept in mind, so that no event is lost that would have helped it. A pod that no event
wakes is tried again after five minutes.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kubeling.client.alarms import Alarms
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from server.scheduler.framework import Action, ClusterEvent, Resources, Wake
from server.scheduler.pod_info import PodInfo, scheduler_of

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 10.0
LONGEST_WAIT = 300.0
FEW = 32
"""Of more pods that back off, none is tried early: they would keep the scheduler busy with what does not
fit."""

NO_NODES = ""
"""Stands among rejecting plug-ins for there being no nodes at all."""

EXTENDER = "Extender"
"""Stands for an extender, which says nothing of what may change its mind: so anything may."""

Wakes = Mapping[str, Sequence[tuple[str, Wake]]]
"""By the resource of an event, which plug-ins it may bring to change their minds."""

_EVERY_ACTION = ~Action(0)
_ANYTHING = Wake("", _EVERY_ACTION)
_NEW_NODE = Wake(Resources.NODE, Action.ADD)


@dataclass(slots=True, eq=False)
class Waiting:
    """A pod in the queue."""

    pod: PodInfo
    order: int
    attempts: int = 0
    """How often there was no node."""
    errors: int = 0
    """How often in a row something went wrong."""
    retry_at: float = 0.0
    """When its backoff is over, on the monotonic clock."""
    rejectors: frozenset[str] = frozenset()
    seen: int = 0
    """The number of the first event after it went in flight."""

    @property
    def key(self) -> str:
        return self.pod.key


class SchedulingQueue:
    """Bounded by the number of pods. One consumer. `wakes` are those of a scheduler's name."""

    def __init__(
        self,
        clock: Clock,
        wakes: Callable[[str], Wakes],
        *,
        first_backoff: float = FIRST_BACKOFF,
        longest_backoff: float = LONGEST_BACKOFF,
    ) -> None:
        self._clock = clock
        self._wakes = wakes
        self._first_backoff = first_backoff
        self._longest_backoff = longest_backoff
        self._pods: dict[str, Waiting] = {}
        self._active: list[tuple[int, int, int, Waiting]] = []
        self._order = itertools.count()
        self._unschedulable: dict[str, Waiting] = {}
        self._parked: dict[tuple[str, str], dict[str, Waiting]] = {}
        """Those that are unschedulable, by scheduler's name and each plug-in that has to change its mind."""
        self._backing_off: dict[str, Waiting] = {}
        self._in_flight: dict[str, Waiting] = {}
        self._events: deque[ClusterEvent] = deque()
        self._first_event = 0
        self._ready = asyncio.Event()
        self._tasks = Tasks("scheduling-queue")
        self._backoff = Alarms[str](clock, self._tasks, self._backoff_over)
        self._patience = Alarms[str](clock, self._tasks, self._lose_patience)

    def __len__(self) -> int:
        return len(self._pods)

    @property
    def idle(self) -> bool:
        """Whether no pod is ready to be scheduled."""
        return not self._active and self._early() is None

    def __contains__(self, key: str) -> bool:
        return key in self._pods

    def is_in_flight(self, waiting: Waiting) -> bool:
        """Whether the pod is still wanted by whom it was given to."""
        return self._in_flight.get(waiting.key) is waiting

    def add(self, pod: PodInfo) -> None:
        """A pod that has no node; known ones keep their place and attempts."""
        known = self._pods.get(pod.key)
        if known is not None and known.pod.uid == pod.uid:
            known.pod = pod
            return
        self.remove(pod.key)
        waiting = self._pods[pod.key] = Waiting(pod, next(self._order))
        self._activate(waiting)

    def remove(self, key: str) -> None:
        waiting = self._pods.pop(key, None)
        if waiting is None:
            return
        self._unpark(key)
        self._backing_off.pop(key, None)
        self._backoff.cancel(key)
        if self._in_flight.pop(key, None) is not None:
            self._forget_events()

    async def pop(self) -> Waiting:
        """The next pod, in flight until it is removed, `failed` or `unschedulable`."""
        while True:
            waiting = self._next()
            if waiting is not None:
                return self._take(waiting)
            self._ready.clear()
            await self._ready.wait()

    def _next(self) -> Waiting | None:
        while self._active:
            waiting = heapq.heappop(self._active)[-1]
            if self._pods.get(waiting.key) is waiting:
                return waiting
        return self._early()

    def _early(self) -> Waiting | None:
        """The one whose backoff is over first, unless it backs off from an error."""
        if not self._backing_off or len(self._backing_off) > FEW:
            return None
        candidates = [each for each in self._backing_off.values() if not each.errors]
        return min(candidates, key=lambda each: each.retry_at, default=None)

    def _take(self, waiting: Waiting) -> Waiting:
        if self._backing_off.pop(waiting.key, None) is not None:
            self._backoff.cancel(waiting.key)
        waiting.seen = self._first_event + len(self._events)
        self._in_flight[waiting.key] = waiting
        return waiting

    def failed(self, waiting: Waiting) -> None:
        """Something went wrong that has nothing to do with the nodes: again after the backoff."""
        waiting.errors += 1
        if self._give_back(waiting, waiting.errors):
            self._back_off(waiting)

    def unschedulable(self, waiting: Waiting, rejectors: Iterable[str]) -> None:
        """No node would do, by the word of these plug-ins: again after an event that may change their
        minds."""
        waiting.attempts, waiting.errors = waiting.attempts + 1, 0
        waiting.rejectors = frozenset(rejectors)
        missed = list(itertools.islice(self._events, max(waiting.seen - self._first_event, 0), None))
        if not self._give_back(waiting, waiting.attempts):
            return
        if any(self._is_helped(waiting, event) for event in missed):
            self._back_off(waiting)
        else:
            self._park(waiting)

    def _give_back(self, waiting: Waiting, times: int) -> bool:
        """Whether the pod is still wanted; starts its backoff."""
        if self._in_flight.get(waiting.key) is not waiting:
            return False
        del self._in_flight[waiting.key]
        self._forget_events()
        delay: float = min(self._first_backoff * 2 ** min(times - 1, 30), self._longest_backoff)
        waiting.retry_at = self._clock.monotonic() + delay
        return True

    def _forget_events(self) -> None:
        """Those that no pod in flight was told of any more."""
        oldest = next(iter(self._in_flight.values()), None)
        last = self._first_event + len(self._events) if oldest is None else oldest.seen
        while self._first_event < last:
            self._events.popleft()
            self._first_event += 1

    def happened(self, event: ClusterEvent) -> None:
        """Something changed in the cluster: wake whom that may help."""
        if self._in_flight:
            self._events.append(event)
        woken: dict[str, Waiting] = {}
        for (name, plugin), parked in self._parked.items():
            for wake in self._wakes_of(name, plugin, event):
                woken |= {key: each for key, each in parked.items() if _helps(wake, each, event)}
        for waiting in woken.values():
            self._wake(waiting)

    def _is_helped(self, waiting: Waiting, event: ClusterEvent) -> bool:
        return any(
            _helps(wake, waiting, event)
            for name, plugin in _places(waiting)
            for wake in self._wakes_of(name, plugin, event)
        )

    def _wakes_of(self, name: str, plugin: str, event: ClusterEvent) -> Sequence[Wake]:
        """How an event may change a plug-in's mind."""
        if plugin in (EXTENDER, NO_NODES):
            found: Sequence[tuple[str, Wake]] = [(plugin, _ANYTHING if plugin == EXTENDER else _NEW_NODE)]
        else:
            found = self._wakes(name).get(event.resource, ())
        return [
            wake
            for other, wake in found
            if other == plugin and event.action & wake.actions and wake.resource in ("", event.resource)
        ]

    def _park(self, waiting: Waiting) -> None:
        self._unschedulable[waiting.key] = waiting
        for place in _places(waiting):
            self._parked.setdefault(place, {})[waiting.key] = waiting
        self._patience.set(waiting.key, LONGEST_WAIT)

    def _unpark(self, key: str) -> Waiting | None:
        waiting = self._unschedulable.pop(key, None)
        if waiting is None:
            return None
        self._patience.cancel(key)
        for place in _places(waiting):
            del self._parked[place][key]
            if not self._parked[place]:
                del self._parked[place]
        return waiting

    def changed(self, key: str) -> None:
        """The pod itself changed: perhaps it fits now."""
        waiting = self._unschedulable.get(key)
        if waiting is not None:
            self._wake(waiting)

    def _wake(self, waiting: Waiting) -> None:
        self._unpark(waiting.key)
        self._back_off(waiting)

    def _back_off(self, waiting: Waiting) -> None:
        delay = waiting.retry_at - self._clock.monotonic()
        if delay <= 0:
            self._activate(waiting)
            return
        self._backing_off[waiting.key] = waiting
        self._backoff.set(waiting.key, delay)
        self._ready.set()

    def _backoff_over(self, key: str) -> None:
        self._activate(self._backing_off.pop(key))

    def _lose_patience(self, key: str) -> None:
        waiting = self._unschedulable.get(key)
        if waiting is not None:
            self._wake(waiting)

    def activate(self, key: str) -> None:
        """Try the pod at once, whatever it waits for."""
        waiting = self._unpark(key) or self._backing_off.pop(key, None)
        if waiting is not None:
            self._backoff.cancel(key)
            self._activate(waiting)

    def _activate(self, waiting: Waiting) -> None:
        heapq.heappush(self._active, (-waiting.pod.priority, waiting.order, next(self._order), waiting))
        self._ready.set()

    async def close(self) -> None:
        await self._tasks.stop()


def _places(waiting: Waiting) -> list[tuple[str, str]]:
    name = scheduler_of(waiting.pod.pod)
    return [(name, plugin) for plugin in waiting.rejectors]


def _helps(wake: Wake, waiting: Waiting, event: ClusterEvent) -> bool:
    return wake.hint is None or wake.hint(waiting.pod, event)
