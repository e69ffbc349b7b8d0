"""The one writer: collects waiting writes into batches and commits them one after the other.

While a batch is with the database the event loop goes on, and the writes that come in form the next batch:
the more there are at once, the less each costs. What a batch does is decided in `commit`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from sqlalchemy import Connection

from kubeling.objects.tasks import Tasks
from server.storage.commit import Batch, Write
from server.storage.errors import DatabaseUnavailable, QueueFull, StorageError, StoreClosed
from server.storage.lane import Lane
from server.storage.limits import Limits
from server.storage.record import Record


class Commit(Protocol):
    def __call__(self, connection: Connection, writes: Sequence[Write]) -> Batch: ...


class Writer:
    """`commit` runs in the lane's transaction; `applied` then on the event loop, before the answers."""

    def __init__(
        self,
        lane: Lane,
        commit: Commit,
        applied: Callable[[Batch], None],
        *,
        limits: Limits,
    ) -> None:
        self._lane = lane
        self._in_transaction = commit
        self._applied = applied
        self._limits = limits
        self._waiting: deque[Write] = deque()
        self._work = asyncio.Event()
        self._closing = False

    async def submit(self, write: Write) -> Record:
        """Commit a write. A caller that is cancelled cannot know whether it happened.

        Raises:
            QueueFull: `pending_writes` wait already.
            StoreClosed: no more writes are taken.
            StorageError: as the write's `decide`, or the database's.
        """
        if self._closing:
            raise StoreClosed("the store has been closed")
        if len(self._waiting) >= self._limits.pending_writes:
            raise QueueFull(f"{len(self._waiting)} writes are waiting")
        self._waiting.append(write)
        self._work.set()
        return await write.done

    async def run(self, tasks: Tasks) -> None:
        """Write until `close`, and what waits then; a batch that fails unexpectedly does not end it."""
        try:
            while not self._finished():
                await tasks.start(self._write(), name="batches")
        finally:
            self._abandon()

    def close(self) -> None:
        """Take no more; `run` ends when all that was taken is committed."""
        self._closing = True
        self._work.set()

    def _finished(self) -> bool:
        return self._closing and not self._waiting

    async def _write(self) -> None:
        while not self._finished():
            await self._work.wait()
            await self._commit(self._next())

    def _next(self) -> list[Write]:
        batch: list[Write] = []
        while self._waiting and len(batch) < self._limits.batch:
            write = self._waiting.popleft()
            if not write.done.cancelled():
                batch.append(write)
        if not self._waiting and not self._closing:
            self._work.clear()
        return batch

    async def _commit(self, writes: list[Write]) -> None:
        if not writes:
            return
        try:
            batch = await self._lane.transact(partial(self._in_transaction, writes=writes))
            self._applied(batch)
            for write, outcome in batch.outcomes:
                write.resolve(outcome)
        except StorageError as error:
            for write in writes:
                write.resolve(type(error)(*error.args))
        finally:
            for write in writes:
                write.resolve(DatabaseUnavailable("the write failed for a reason that only the log tells"))

    def _abandon(self) -> None:
        self._closing = True
        for write in self._waiting:
            write.resolve(StoreClosed("the store was closed before the write was begun"))
        self._waiting.clear()
