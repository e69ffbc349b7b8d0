"""Runs a controller: takes keys from its queue, calls its reconciler, and decides what an outcome means.

Retries, backoff, logging of failures and shutdown are here and nowhere else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kubeling.client.errors import ConnectionLost, PermanentError, TemporaryError
from kubeling.client.protocol import Informer
from kubeling.client.workqueue import QueueClosed, WorkQueue
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, Conflict
from kubeling.objects.tasks import Tasks

logger = logging.getLogger(__name__)

STOP_GRACE = 5.0
"""Seconds that a reconcile under way is given to finish when its runner stops."""


@dataclass(frozen=True, slots=True)
class Result:
    """A reconcile succeeded; look again in `requeue_after` seconds where given."""

    requeue_after: float | None = None


DONE = Result()
Reconcile = Callable[[str], Awaitable[Result]]


class ControllerRunner:
    """The workers of one controller. Reconciles of different keys run side by side, of one key never."""

    def __init__(self, name: str, reconcile: Reconcile, *, clock: Clock, workers: int = 1) -> None:
        self.name = name
        self.queue = WorkQueue(clock, name=f"{name}-queue")
        self._reconcile = reconcile
        self._workers = workers
        self._tasks = Tasks(name)
        self._running: list[asyncio.Task[None]] = []
        self._informers: list[Informer] = []

    def watches(self, informer: Informer, key_of: Callable[[meta.Object], str | None] = meta.key) -> None:
        """Queue `key_of(object)` on every change; None means that the object is of no interest."""

        def enqueue(_: str, obj: meta.Object, __: meta.Object | None) -> None:
            if (key := key_of(obj)) is not None:
                self.queue.add(key)

        informer.add_handler(enqueue)
        self.reads(informer)

    def reads(self, informer: Informer) -> None:
        """Do not begin before this informer is synced."""
        self._informers.append(informer)

    def start(self) -> None:
        """Begin in the background as soon as the informers are synced."""
        for number in range(self._workers):
            self._running.append(self._tasks.start(self._work(), name=f"worker-{number}"))

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be reconciled now; what is delayed waits for its time."""
        return self.queue.resting

    async def stop(self) -> None:
        """Let reconciles under way finish, up to STOP_GRACE, then cancel them."""
        await self.queue.close()
        if self._running and all(informer.synced for informer in self._informers):
            await asyncio.wait(self._running, timeout=STOP_GRACE)
        await self._tasks.stop()

    async def _work(self) -> None:
        for informer in self._informers:
            await informer.wait_synced()
        while True:
            try:
                key = await self.queue.get()
            except QueueClosed:
                return
            try:
                await self._process(key)
            finally:
                self.queue.done(key)

    async def _process(self, key: str) -> None:
        try:
            result = await self._reconcile(key)
        except PermanentError as error:
            logger.error("%s: giving up on %s: %s", self.name, key, error)
            self.queue.forget(key)
        except TemporaryError as error:
            logger.info("%s: %s has to wait: %s", self.name, key, error)
            self._retry(key, error.delay)
        except Conflict as error:
            logger.debug("%s: %s changed underneath: %s", self.name, key, error)
            self._retry(key)
        except (ApiError, ConnectionLost) as error:
            logger.warning("%s: %s failed and is tried again: %s", self.name, key, error)
            self._retry(key)
        except Exception:
            logger.exception("%s: %s failed and is tried again", self.name, key)
            self._retry(key)
        else:
            self.queue.forget(key)
            if result.requeue_after is not None:
                self.queue.add_after(key, result.requeue_after)

    def _retry(self, key: str, delay: float | None = None) -> None:
        if delay is None:
            self.queue.add_rate_limited(key)
        else:
            self.queue.add_after(key, delay)
