"""Objects that live for a time only: Events, which etcd forgets an hour after they were last written.

Not here: which resources these are, and for how long; the server says so.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import itemgetter

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from server.storage.errors import DatabaseError, KeyNotFound, QueueFull, RevisionConflict, WatchOverflow
from server.storage.record import Event, Key, Record
from server.storage.store import Store

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""After which a deletion that failed is tried again."""


class Expiry:
    """Deletes each object of a resource when it has not been written for its lifetime, in seconds."""

    def __init__(self, store: Store, clock: Clock, *, resource: str, lifetime: float) -> None:
        self._store = store
        self._clock = clock
        self._resource = resource
        self._lifetime = lifetime
        self._due: OrderedDict[Key, tuple[float, int]] = OrderedDict()
        """When, on the monotonic clock, and at which revision; the first is the next."""
        self._some = asyncio.Event()
        self._tasks = Tasks(f"expiry of {resource}")

    def start(self) -> None:
        self._tasks.start(self._follow(), name="follow")
        self._tasks.start(self._expire(), name="expire")

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _follow(self) -> None:
        while True:
            self._begin(self._store.list(self._resource))
            async with self._store.watch(self._resource, since=self._store.revision) as watch:
                try:
                    async for batch in watch:
                        self._note(batch)
                    return
                except WatchOverflow:
                    continue

    def _begin(self, records: Iterable[Record]) -> None:
        """What is there already has its age from its own timestamps."""
        now, wall = self._clock.monotonic(), self._clock.now()
        due = [(record.key, (now + self._left(record, wall), record.revision)) for record in records]
        self._due = OrderedDict(sorted(due, key=itemgetter(1)))
        self._some.set()

    def _left(self, record: Record, now: datetime) -> float:
        age = (now - (_last_written(record) or now)).total_seconds()
        return self._lifetime - max(age, 0.0)

    def _note(self, batch: Iterable[Event]) -> None:
        due = self._clock.monotonic() + self._lifetime
        for event in batch:
            self._due.pop(event.record.key, None)
            if event.type != "DELETED":
                self._due[event.record.key] = (due, event.revision)
        self._some.set()

    async def _expire(self) -> None:
        while True:
            if not self._due:
                self._some.clear()
                await self._some.wait()
                continue
            key, (due, revision) = next(iter(self._due.items()))
            wait = due - self._clock.monotonic()
            if wait > 0:
                await self._clock.sleep(wait)
            elif not await self._deleted(key, revision):
                await self._clock.sleep(AGAIN_SECONDS)

    async def _deleted(self, key: Key, revision: int) -> bool:
        """Whether the object is gone, or was written again, which its event tells."""
        try:
            await self._store.delete(*key, expected=revision)
        except (KeyNotFound, RevisionConflict):
            pass
        except (DatabaseError, QueueFull) as error:
            logger.debug("%s stays for now: %s", key, error)
            return False
        if self._due.get(key, (0.0, 0))[1] == revision:
            del self._due[key]
        return True


def _last_written(record: Record) -> datetime | None:
    obj = record.copy()
    series = obj.get("series") or {}
    found = (
        series.get("lastObservedTime"),
        obj.get("lastTimestamp"),
        obj.get("eventTime"),
        obj["metadata"].get("creationTimestamp"),
    )
    moments = [moment for text in found if text and (moment := _moment(text))]
    return max(moments, default=None)


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
