"""One thread with one connection: how the event loop gets synchronous database work done, one job at a time.

After an error the connection is thrown away and the next job makes a new one, so that a full disk, a lock or
an outage that passes leaves nothing behind. A connection that turns out to be lost before anything was
committed is replaced at once, and the job done again.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from server.storage.database import Database
from server.storage.errors import CommitInDoubt, ConnectionLost, DatabaseError, StoreClosed
from server.storage.worker import Worker

T = TypeVar("T")
Begin = Callable[[Connection], None]

SWITCH_SECONDS = 5e-5
"""For `sys.setswitchinterval`, the process's to set.

A lane gives up the interpreter lock with each call of the driver, and a busy event loop gives it back only
when asked, after this long. With Python's default, 5 ms, a loop that lets go more often than that, at its
polls, is never asked, and writes starve.
"""


class Lane:
    def __init__(self, database: Database, *, name: str) -> None:
        self._database = database
        self._worker = Worker(name)
        self._connection: Connection | None = None
        self._closed = False

    async def prepare(self) -> None:
        """Prepare the database, in this thread.

        Raises:
            DatabaseError: it cannot be used.
        """
        await self._in_thread(self._prepare)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, committed when it returns, rolled back when it raises.

        `work` may be run twice. A caller that is cancelled does not interrupt it: the transaction still ends
        one way or the other.

        Raises:
            CommitInDoubt: whether it was committed is not known.
            DatabaseError: nothing was committed.
        """
        return await self._in_thread(
            partial(self._run, partial(self._write, self._database.begin_write, work))
        )

    async def migrate(self, work: Callable[[Connection], T]) -> T:
        """As `write`, and no other server migrates meanwhile."""
        begin = self._database.begin_migration
        return await self._in_thread(partial(self._run, partial(self._write, begin, work)))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, perhaps twice, in a transaction that sees one state.

        Raises:
            DatabaseError: it could not be read.
        """
        return await self._in_thread(partial(self._run, partial(self._read, work)))

    async def direct(self, work: Callable[[Connection], T]) -> T:
        """Run `work` outside a transaction; it may be run twice."""
        return await self._in_thread(partial(self._run, work))

    async def close(self) -> None:
        """Wait for the job in hand and end the thread; may be called more than once."""
        if not self._closed:
            self._closed = True
            await self._worker.run(self._disconnect)
            self._worker.stop()

    async def _in_thread(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StoreClosed("the store has been closed")
        return await self._worker.run(job)

    def _prepare(self) -> None:
        with self._database.errors():
            self._database.prepare()

    def _run(self, work: Callable[[Connection], T]) -> T:
        was_connected = self._connection is not None
        try:
            return self._attempt(work)
        except CommitInDoubt:
            raise
        except ConnectionLost:
            if not was_connected:
                raise
        return self._attempt(work)

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._database.errors():
                if self._connection is None:
                    self._connection = self._database.connect()
                return work(self._connection)
        except DatabaseError:
            self._disconnect()
            raise

    def _write(self, begin: Begin, work: Callable[[Connection], T], connection: Connection) -> T:
        with connection.begin() as transaction:
            begin(connection)
            result = work(connection)
            try:
                with self._database.errors():
                    transaction.commit()
            except ConnectionLost as error:
                raise CommitInDoubt(str(error), result) from error
            return result

    def _read(self, work: Callable[[Connection], T], connection: Connection) -> T:
        with connection.begin():
            self._database.begin_read(connection)
            return work(connection)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
