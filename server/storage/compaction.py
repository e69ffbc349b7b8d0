"""When history is deleted: after the retention time, or sooner when there is too much. How: `log.compact`.

Nothing here runs while there is no garbage: nothing overwritten or deleted since the last compaction.
"""

import asyncio
import logging
from functools import partial

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from server.storage import log
from server.storage.database import Database
from server.storage.errors import DatabaseError
from server.storage.lane import Lane
from server.storage.limits import Limits

logger = logging.getLogger(__name__)

STEP = 300
"""Revisions compacted in one transaction; writes get their turn between two."""


class Compaction:
    def __init__(
        self, lane: Lane, database: Database, clock: Clock, *, compacted: int, limits: Limits
    ) -> None:
        self.compacted = compacted
        self._lane = lane
        self._database = database
        self._clock = clock
        self._limits = limits
        self._newest = compacted
        self._newest_garbage = 0
        self._running = asyncio.Lock()
        self._tasks = Tasks("storage compaction")
        self._expiring = False
        self._trimming = False

    def committed(self, revision: int, *, garbage: bool) -> None:
        """Take note of a batch, and of whether it overwrote or deleted anything."""
        self._newest = revision
        if garbage:
            self._newest_garbage = revision
        if self._has_garbage() and not self._expiring:
            self._expiring = True
            self._tasks.start(self._expire(), name="expire")
        if self._has_garbage() and self._has_excess() and not self._trimming:
            self._trimming = True
            self._tasks.start(self._trim(), name="trim")

    def seen(self, compacted: int) -> None:
        """Take note of how far the log has been compacted, by this server or another."""
        self.compacted = max(self.compacted, compacted)

    async def compact(self, through: int) -> None:
        """Forget history up to a revision: what was overwritten or deleted by then.

        Raises:
            DatabaseError: it stopped half-way, which harms nothing.
        """
        async with self._running:
            through = min(through, self._newest)
            while self.compacted < through:
                step = partial(log.compact, through=through, width=STEP)
                self.compacted = await self._lane.write(step)
            while await self._lane.direct(self._database.reclaim):
                pass

    async def stop(self) -> None:
        await self._tasks.stop()

    def _has_garbage(self) -> bool:
        return self._newest_garbage > self.compacted

    def _has_excess(self) -> bool:
        return self._newest - self.compacted > self._limits.retained_revisions

    async def _expire(self) -> None:
        try:
            while self._has_garbage():
                reached = self._newest
                await self._clock.sleep(self._limits.retention_seconds)
                await self._try_compact(reached)
        finally:
            self._expiring = False

    async def _trim(self) -> None:
        try:
            await self._try_compact(self._newest - self._limits.retained_revisions // 2)
        finally:
            self._trimming = False

    async def _try_compact(self, through: int) -> None:
        try:
            await self.compact(through)
        except DatabaseError as error:
            logger.warning("compaction will be tried again: %s", error)
