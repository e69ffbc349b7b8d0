"""The one writer: collects waiting writes into batches and commits them one after the other.

While a batch is with the database the event loop goes on, and the writes that come in form the next batch:
the more there are at once, the less each costs. What a batch does is decided in `commit`. Since the writer
alone changes memory, catching up with other servers is its work, too.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from server.storage.commit import Batch, Committing, Overtaken, Reload, Write
from server.storage.errors import (
    CommitInDoubt,
    DatabaseError,
    DatabaseUnavailable,
    QueueFull,
    StorageError,
    StoreClosed,
    WriteInDoubt,
)
from server.storage.lane import Lane
from server.storage.limits import Limits
from server.storage.outage import Outage
from server.storage.record import Record

FIRST_DELAY, LONGEST_DELAY = 0.05, 1.0
"""Seconds between two questions for what became of a commit."""


class Writer:
    """`committing` runs in the lane's transactions; `applied` then on the event loop, before the answers."""

    def __init__(
        self,
        lane: Lane,
        committing: Committing,
        *,
        applied: Callable[[Batch], None],
        reloaded: Callable[[Reload], None],
        outage: Outage,
        clock: Clock,
        limits: Limits,
        revision: int,
    ) -> None:
        self._lane = lane
        self._committing = committing
        self._applied = applied
        self._reloaded = reloaded
        self._outage = outage
        self._clock = clock
        self._limits = limits
        self._revision = revision
        self._waiting: deque[Write] = deque()
        self._behind: list[tuple[int, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._closing = False
        self._committing_now = False
        self._alone = True
        """No other server wrote since the last write of this one."""

    @property
    def idle(self) -> bool:
        """Whether no write waits or is under way."""
        return not self._waiting and not self._committing_now

    async def submit(self, write: Write) -> Record:
        """Commit a write. A caller that is cancelled cannot know whether it happened.

        Raises:
            QueueFull: `pending_writes` wait already.
            StoreClosed: no more writes are taken.
            WriteInDoubt: it may have been committed.
            StorageError: as the write's `decide`, or the database's.
        """
        if self._closing:
            raise StoreClosed("the store has been closed")
        if len(self._waiting) >= self._limits.pending_writes:
            raise QueueFull(f"{len(self._waiting)} writes are waiting")
        self._waiting.append(write)
        self._work.set()
        return await write.done

    async def reach(self, revision: int) -> None:
        """Wait until memory holds what was committed, by whomever, up to a revision.

        Raises:
            StoreClosed, DatabaseError: it does not get there.
        """
        if revision <= self._revision:
            return
        if self._closing:
            raise StoreClosed("the store has been closed")
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._behind.append((revision, reached))
        self._work.set()
        await reached

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
            writes = self._next()
            if writes:
                self._committing_now = True
                try:
                    await self._commit(writes)
                finally:
                    self._committing_now = False
            elif self._behind:
                await self._catch_up()

    def _next(self) -> list[Write]:
        batch: list[Write] = []
        while self._waiting and len(batch) < self._limits.batch:
            write = self._waiting.popleft()
            if not write.done.cancelled():
                batch.append(write)
        if not self._waiting and not self._behind and not self._closing:
            self._work.clear()
        return batch

    async def _commit(self, writes: list[Write]) -> None:
        try:
            batch = await self._committed(writes)
            self._apply(batch)
            for write, outcome in batch.outcomes:
                write.resolve(outcome)
            self._outage.ends()
        except StorageError as error:
            if isinstance(error, DatabaseError):
                self._outage.begins(error)
            for write in writes:
                write.resolve(type(error)(*error.args))
        finally:
            for write in writes:
                write.resolve(DatabaseUnavailable("the write failed for a reason that only the log tells"))

    async def _committed(self, writes: Sequence[Write]) -> Batch:
        while True:
            try:
                return await self._attempted(writes)
            except Overtaken:
                await self._reload()
            except CommitInDoubt as doubt:
                batch = cast(Batch, doubt.result)
                if await self._was_committed(batch):
                    return batch

    async def _attempted(self, writes: Sequence[Write]) -> Batch:
        """In one call of the database, unless other servers write, too: then under the lock, in turns."""
        if self._alone:
            batch = await self._lane.direct(partial(self._committing.try_commit, writes=writes))
            if batch is not None:
                return batch
        batch = await self._lane.write(partial(self._committing.commit, writes=writes))
        self._alone = batch.caught_up_to == self._revision
        return batch

    async def _was_committed(self, batch: Batch) -> bool:
        """What became of a batch whose connection was lost while committing.

        Raises:
            WriteInDoubt: the database did not say in time.
        """
        deadline = self._clock.monotonic() + self._limits.doubt_seconds
        delay, ask = FIRST_DELAY, partial(self._committing.was_committed, batch=batch)
        while self._clock.monotonic() < deadline:
            try:
                answer = await self._lane.write(ask)  # its lock waits for the end of the lost transaction
            except DatabaseError:
                answer = None
            if answer is not None:
                return answer
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
        raise WriteInDoubt("the database went away while committing: the write may have happened, or not")

    async def _catch_up(self) -> None:
        try:
            self._apply(await self._lane.read(self._committing.catch_up))
        except Overtaken:
            await self._try_reload()
        except StorageError as error:
            self._refuse_readers(error)

    async def _try_reload(self) -> None:
        try:
            await self._reload()
        except StorageError as error:
            self._refuse_readers(error)

    async def _reload(self) -> None:
        found = await self._lane.read(self._committing.reload)
        self._reloaded(found)
        self._reached(found.cluster.revision)

    def _apply(self, batch: Batch) -> None:
        self._applied(batch)
        self._reached(batch.revision)

    def _reached(self, revision: int) -> None:
        self._revision = revision
        if not self._behind:
            return
        waiting, self._behind = self._behind, []
        for wanted, reached in waiting:
            if wanted > revision:
                self._behind.append((wanted, reached))
            elif not reached.done():
                reached.set_result(None)

    def _refuse_readers(self, error: StorageError) -> None:
        waiting, self._behind = self._behind, []
        for _, reached in waiting:
            if not reached.done():
                reached.set_exception(type(error)(*error.args))

    def _abandon(self) -> None:
        self._closing = True
        closed = StoreClosed("the store was closed before the write was begun")
        for write in self._waiting:
            write.resolve(closed)
        self._waiting.clear()
        self._refuse_readers(StoreClosed("the store has been closed"))
