"""Pods that wait for a node.

             add                  pop
    (new) ────────> active ──────────────> being scheduled ──> (bound)
                      ^ ^                     │        │
          backoff over│ │relevant event       │error   │no node
                  backing off <───────────────┘        v
                         ^────────────────────── unschedulable

The highest priority goes first, then who waits longest. Backoff is 1 s doubling to 10 s. A pod that no event
wakes is tried again after five minutes.
"""

import asyncio
import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from kubeling.client.alarms import Alarms
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.scheduler.framework import ClusterEvent

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 10.0
LONGEST_WAIT = 300.0


@dataclass(slots=True)
class Waiting:
    """A pod in the queue; the object itself is read anew when its turn comes."""

    key: str
    uid: str
    priority: int
    attempts: int = 0
    retry_at: float = 0.0
    """When its backoff is over, on the monotonic clock."""
    wakes: frozenset[ClusterEvent] = frozenset()


class SchedulingQueue:
    """Bounded by the number of pods. One consumer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pods: dict[str, Waiting] = {}
        self._active: list[tuple[int, int, Waiting]] = []
        self._order = itertools.count()
        self._unschedulable: dict[str, Waiting] = {}
        self._in_flight: dict[str, Waiting] = {}
        self._ready = asyncio.Event()
        self._tasks = Tasks("scheduling-queue")
        self._backoff = Alarms[str](clock, self._tasks, self._activate_key)
        self._patience = Alarms[str](clock, self._tasks, self._lose_patience)

    def __len__(self) -> int:
        return len(self._pods)

    @property
    def idle(self) -> bool:
        """Whether no pod is ready to be scheduled."""
        return not self._active

    def __contains__(self, key: str) -> bool:
        return key in self._pods

    def add(self, pod: Object) -> None:
        """A pod that has no node; known ones keep their place and attempts."""
        key = meta.key(pod)
        known = self._pods.get(key)
        if known is not None and known.uid == meta.uid(pod):
            return
        self.remove(key)
        priority = int((pod.get("spec") or {}).get("priority") or 0)
        waiting = self._pods[key] = Waiting(key, meta.uid(pod), priority)
        self._activate(waiting)

    def remove(self, key: str) -> None:
        self._pods.pop(key, None)
        self._in_flight.pop(key, None)
        self._unschedulable.pop(key, None)
        self._backoff.cancel(key)
        self._patience.cancel(key)

    async def pop(self) -> Waiting:
        """The next pod, which is then being scheduled until `bound`, `failed` or `unschedulable`."""
        while True:
            while self._active:
                _, _, waiting = heapq.heappop(self._active)
                if self._pods.get(waiting.key) is waiting:
                    return self._take(waiting)
            self._ready.clear()
            await self._ready.wait()

    def _take(self, waiting: Waiting) -> Waiting:
        waiting.attempts += 1
        self._in_flight[waiting.key] = waiting
        return waiting

    def failed(self, waiting: Waiting) -> None:
        """Something went wrong that has nothing to do with the nodes: again after the backoff."""
        if self._give_back(waiting):
            self._back_off(waiting)

    def unschedulable(self, waiting: Waiting, wakes: Iterable[ClusterEvent]) -> None:
        """No node would do: again after one of these events."""
        if not self._give_back(waiting):
            return
        waiting.wakes = frozenset(wakes)
        self._unschedulable[waiting.key] = waiting
        self._patience.set(waiting.key, LONGEST_WAIT)

    def _give_back(self, waiting: Waiting) -> bool:
        """Whether the pod is still wanted; starts its backoff."""
        if self._in_flight.get(waiting.key) is not waiting:
            return False
        del self._in_flight[waiting.key]
        delay: float = min(FIRST_BACKOFF * 2 ** (waiting.attempts - 1), LONGEST_BACKOFF)
        waiting.retry_at = self._clock.monotonic() + delay
        return True

    def happened(self, event: ClusterEvent) -> None:
        """Something changed in the cluster: wake whoever waits for that."""
        for waiting in [each for each in self._unschedulable.values() if event in each.wakes]:
            self._wake(waiting)

    def changed(self, pod: Object) -> None:
        """The pod itself changed: perhaps it fits now."""
        waiting = self._unschedulable.get(meta.key(pod))
        if waiting is not None:
            self._wake(waiting)

    def _wake(self, waiting: Waiting) -> None:
        del self._unschedulable[waiting.key]
        self._patience.cancel(waiting.key)
        self._back_off(waiting)

    def _back_off(self, waiting: Waiting) -> None:
        delay = waiting.retry_at - self._clock.monotonic()
        if delay > 0:
            self._backoff.set(waiting.key, delay)
        else:
            self._activate(waiting)

    def _activate_key(self, key: str) -> None:
        self._activate(self._pods[key])

    def _lose_patience(self, key: str) -> None:
        waiting = self._unschedulable.get(key)
        if waiting is not None:
            self._wake(waiting)

    def _activate(self, waiting: Waiting) -> None:
        heapq.heappush(self._active, (-waiting.priority, next(self._order), waiting))
        self._ready.set()

    async def close(self) -> None:
        await self._tasks.stop()
