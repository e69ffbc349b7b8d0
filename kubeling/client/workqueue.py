"""The queue between informers and a controller's workers; holds keys, never objects.

It does not call reconcilers: `runner` does.
"""

import asyncio
from collections import deque

from kubeling.client.alarms import Alarms
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks

FIRST_DELAY = 0.005
LONGEST_DELAY = 1000.0


class QueueClosed(Exception):
    """The queue has been shut down and nothing more will come."""


class WorkQueue:
    """Keys waiting for work, each at most once.

    A key that is added while it is worked on comes again after `done`, so no two workers ever hold the same
    key and no change is lost. Bounded by the number of distinct keys. Failures of one key delay only that
    key, by 5 ms doubling to 1000 s, until `forget`.
    """

    def __init__(self, clock: Clock, *, name: str = "queue") -> None:
        self._ready: deque[str] = deque()
        self._waiting: set[str] = set()
        self._processing: set[str] = set()
        self._failures: dict[str, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._tasks = Tasks(name)
        self._alarms = Alarms[str](clock, self._tasks, self.add)
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether nothing is ready, delayed or being worked on."""
        return not (self._waiting or self._processing or len(self._alarms))

    @property
    def resting(self) -> bool:
        """Whether nothing is ready or being worked on, though something may be delayed."""
        return not (self._waiting or self._processing)

    def add(self, key: str) -> None:
        if key in self._waiting or self._closed:
            return
        self._waiting.add(key)
        if key not in self._processing:
            self._append(key)

    def add_after(self, key: str, delay: float) -> None:
        """Add in `delay` seconds; an earlier delayed add of the same key wins."""
        if self._closed:
            return
        if delay <= 0:
            self.add(key)
        else:
            self._alarms.set_earlier(key, delay)

    def add_rate_limited(self, key: str) -> float:
        """Add after the key's backoff, and count a failure. Returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(FIRST_DELAY * 2 ** min(failures, 30), LONGEST_DELAY)
        self.add_after(key, delay)
        return delay

    def failures(self, key: str) -> int:
        """How many times in a row the key has failed."""
        return self._failures.get(key, 0)

    def forget(self, key: str) -> None:
        """The key succeeded, or is given up: its backoff begins anew."""
        self._failures.pop(key, None)

    async def get(self) -> str:
        """The next key, which the caller then owns until `done`.

        Raises:
            QueueClosed: the queue was shut down.
        """
        while not self._ready:
            if self._closed:
                raise QueueClosed
            await self._wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: str) -> None:
        self._processing.discard(key)
        if key in self._waiting:
            self._append(key)

    async def close(self) -> None:
        """Take nothing more, drop what waits and wake whoever is in `get`."""
        self._closed = True
        self._ready.clear()
        self._waiting.clear()
        while self._getters:
            self._wake()
        await self._tasks.stop()

    async def _wait(self) -> None:
        getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        try:
            await getter
        except asyncio.CancelledError:
            if getter.done() and not getter.cancelled() and self._ready:
                self._wake()  # this one was chosen for a key and goes away: wake another
            raise

    def _append(self, key: str) -> None:
        self._ready.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
