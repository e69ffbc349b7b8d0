"""When SQLite's write-ahead log is copied into the database: beside the writer, which would have to wait.

What is written meanwhile is left for the writer (`sqlite.WAL_PAGES`). PostgreSQL sees to itself.
"""

import logging
from collections.abc import Sequence

from kubeling.objects.tasks import Tasks
from server.storage.database import Database
from server.storage.errors import DatabaseError, StoreClosed
from server.storage.lane import Lane
from server.storage.record import Event

logger = logging.getLogger(__name__)

WRITTEN_BYTES = 4 * 2**20
"""After which it is time again."""
ROW_BYTES = 4096
"""What a row costs besides its body: pages of the table and of the index."""


class Checkpoints:
    def __init__(self, lane: Lane, database: Database) -> None:
        self._lane = lane
        self._database = database
        self._written = 0
        self._running = False
        self._tasks = Tasks("storage checkpoint")

    def committed(self, events: Sequence[Event]) -> None:
        """Take note of what has been written."""
        self._written += sum(ROW_BYTES + len(event.record.body) for event in events)
        if self._written >= WRITTEN_BYTES and not self._running:
            self._running = True
            self._tasks.start(self._checkpoint(), name="checkpoint")

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _checkpoint(self) -> None:
        try:
            self._written = 0
            await self._lane.direct(self._database.checkpoint)
        except (DatabaseError, StoreClosed) as error:
            logger.debug("the log grows for now: %s", error)
        finally:
            self._running = False
