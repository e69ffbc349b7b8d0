"""Wakes an owner at once, or - one of many pods, of which another has changed its status - a little later.

A thousand pods that become ready are a thousand changes within seconds; their owner looks at them, and writes
its status, ten times a second. The time is the event loop's and not the injected clock's: it shares work
out, and decides nothing.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from kubeling.client.runner import ControllerRunner, Reconcile
from kubeling.client.workqueue import WorkQueue
from kubeling.objects.clock import Clock

SOON = 0.1
"""Seconds."""
FEW = 100
"""Up to so many pods nothing is put off."""


class Timer(Protocol):
    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls back in so many seconds."""


def _later(seconds: float, ring: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, ring)


class Pace:
    def __init__(self, queue: WorkQueue, *, later: Later = _later) -> None:
        self._queue = queue
        self._later = later
        self._put_off: dict[str, Timer] = {}

    @property
    def idle(self) -> bool:
        return not self._put_off

    def wake(self, key: str) -> None:
        self._queue.add(key)

    def wake_soon(self, key: str, pods: int) -> None:
        """The owner of so many pods has no more to do than to count them anew."""
        if pods <= FEW:
            self._queue.add(key)
        elif key not in self._put_off:
            self._put_off[key] = self._later(SOON, partial(self._ring, key))

    def stop(self) -> None:
        for handle in self._put_off.values():
            handle.cancel()
        self._put_off.clear()

    def _ring(self, key: str) -> None:
        del self._put_off[key]
        self._queue.add(key)


class PacedRunner(ControllerRunner):
    """A runner that can put an owner off by `pace`."""

    def __init__(self, name: str, reconcile: Reconcile, *, clock: Clock, workers: int = 1) -> None:
        super().__init__(name, reconcile, clock=clock, workers=workers)
        self.pace = Pace(self.queue)

    @property
    def idle(self) -> bool:
        return super().idle and self.pace.idle

    async def stop(self) -> None:
        self.pace.stop()
        await super().stop()
