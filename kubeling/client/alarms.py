"""Many deadlines behind one sleeper on the injected clock; nothing runs while none is set."""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks

Key = TypeVar("Key", bound=Hashable)


class Alarms(Generic[Key]):
    """Calls `ring(key)` once when a key's time has come. A key has one deadline."""

    def __init__(self, clock: Clock, tasks: Tasks, ring: Callable[[Key], None]) -> None:
        self._clock = clock
        self._tasks = tasks
        self._ring = ring
        self._deadlines: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._sleeper: asyncio.Task[None] | None = None
        self._wakes_at = float("inf")

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: Key) -> bool:
        return key in self._deadlines

    def set(self, key: Key, delay: float) -> None:
        """Ring `delay` seconds from now, whatever was set before."""
        deadline = self._clock.monotonic() + delay
        self._deadlines[key] = deadline
        heapq.heappush(self._heap, (deadline, next(self._order), key))
        if deadline < self._wakes_at:
            self._restart()

    def set_earlier(self, key: Key, delay: float) -> None:
        """Like `set`, but an earlier deadline that is set already stays."""
        if self._clock.monotonic() + delay < self._deadlines.get(key, float("inf")):
            self.set(key, delay)

    def cancel(self, key: Key) -> None:
        self._deadlines.pop(key, None)
        if not self._deadlines:
            self._heap.clear()

    def _restart(self) -> None:
        if self._sleeper is not None:
            self._sleeper.cancel()
        self._wakes_at = self._heap[0][0]
        self._sleeper = self._tasks.start(self._sleep(), name="alarms")

    async def _sleep(self) -> None:
        while self._heap:
            self._wakes_at = self._heap[0][0]
            await self._clock.sleep(self._wakes_at - self._clock.monotonic())
            self._ring_due()
        self._sleeper = None
        self._wakes_at = float("inf")

    def _ring_due(self) -> None:
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            deadline, _, key = heapq.heappop(self._heap)
            if self._deadlines.get(key) == deadline:
                del self._deadlines[key]
                self._ring(key)
