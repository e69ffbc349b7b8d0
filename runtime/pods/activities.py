"""What a pod worker has under way: each thing once, in the background, with a delay after a failure.

The worker never waits for an activity; every activity's end wakes it. An activity that waits for something
that may take long (a pull, an object that is missing) can be interrupted then, and only then.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from kubeling.client.alarms import Alarms
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from runtime.errors import NodeError
from runtime.pods.identity import PodIdentity

logger = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 1.0, 10.0
"""Seconds between attempts of what the runtime refuses."""


class RetryLater(Exception):
    """Raised by an activity that failed and has told so: it may begin again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


class Activities:
    def __init__(
        self,
        pod: PodIdentity,
        *,
        clock: Clock,
        alarms: Alarms[tuple[str, str]],
        wake: Callable[[], None],
    ) -> None:
        self._pod = pod
        self._clock = clock
        self._alarms = alarms
        self._wake = wake
        self._tasks = Tasks(f"pod-{pod.namespace}-{pod.name}")
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._interruptible: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._closing = False

    def __contains__(self, key: str) -> bool:
        return key in self._running

    def any(self, *kinds: str) -> bool:
        """Whether anything of these kinds (the part of a key before `/`) is under way."""
        return any(key.partition("/")[0] in kinds for key in self._running)

    @property
    def brief(self) -> bool:
        """Whether something is under way that does not wait for others."""
        return len(self._running) > len(self._interruptible)

    def begin(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start it unless it is under way, or failed and its delay is not over."""
        if self._closing or key in self._running or self._clock.monotonic() < self._not_before.get(key, 0.0):
            return
        self._not_before.pop(key, None)
        self._running[key] = self._tasks.start(self._guarded(key, work()), name=key)

    def delay(self, key: str, seconds: float) -> None:
        """Let it not begin before so many seconds have passed; the worker wakes then."""
        self._not_before[key] = self._clock.monotonic() + seconds
        self._alarms.set((self._pod.uid, key), seconds)

    def clear_delays(self) -> None:
        """Something changed: what failed may be tried again at once."""
        for key in self._not_before:
            self._alarms.cancel((self._pod.uid, key))
        self._not_before.clear()
        self._delays.clear()

    @contextmanager
    def interruptible(self, key: str) -> Iterator[None]:
        self._interruptible.add(key)
        try:
            yield
        finally:
            self._interruptible.discard(key)

    def interrupt(self) -> None:
        """Cancel what waits in an interruptible part."""
        for key in list(self._interruptible):
            self._running[key].cancel()

    async def stop(self) -> None:
        """Cancel everything."""
        self.clear_delays()
        await self._tasks.stop()

    async def finish(self, *, within: float) -> None:
        """Begin nothing more, let what is in the middle of a step end it, then cancel the rest."""
        self._closing = True
        self.interrupt()
        running = [task for key, task in self._running.items() if key not in self._interruptible]
        if running:
            await asyncio.wait(running, timeout=within)
        await self.stop()

    def _put_off(self, key: str) -> float:
        """Seconds until it may begin again, longer each time."""
        wait = self._delays[key] = min(self._delays.get(key, FIRST_DELAY / 2) * 2, LONGEST_DELAY)
        self.delay(key, wait)
        return wait

    async def _guarded(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
            self._delays.pop(key, None)
        except RetryLater as later:
            self.delay(key, later.seconds)
        except (NodeError, OSError) as error:
            logger.warning("pod %s: %s failed, again in %g s: %s", self._pod, key, self._put_off(key), error)
        except Exception:  # a fault of ours: the task's guard logs it; it is not repeated without a pause
            self._put_off(key)
            raise
        finally:
            self._running.pop(key, None)
            self._wake()
