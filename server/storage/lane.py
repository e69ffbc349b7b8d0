"""One thread with one connection: how the event loop gets synchronous database work done, one job at a time.

After an error the connection is thrown away and the next job makes a new one, so that a full disk or a lock
that passes leaves nothing behind.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from server.storage.database import Database
from server.storage.errors import DatabaseError, StoreClosed

T = TypeVar("T")

SWITCH_SECONDS = 5e-5
"""For `sys.setswitchinterval`, the process's to set.

A lane gives up the interpreter lock with each call of the driver, and a busy event loop gives it back only
when asked, after this long. With Python's default, 5 ms, a loop that lets go more often than that, at its
polls, is never asked, and writes starve.
"""


class Lane:
    def __init__(self, database: Database, *, name: str, begin: Callable[[Connection], None]) -> None:
        self._database = database
        self._begin = begin
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connection: Connection | None = None
        self._closed = False

    async def prepare(self) -> None:
        """Prepare the database, in this thread.

        Raises:
            DatabaseError: it cannot be used.
        """
        await self._in_thread(self._prepare)

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, committed when it returns, rolled back when it raises.

        A caller that is cancelled does not interrupt it: the transaction still ends one way or the other.

        Raises:
            DatabaseError: nothing was committed.
        """
        return await self._in_thread(partial(self._run, partial(self._transaction, work)))

    async def direct(self, work: Callable[[Connection], T]) -> T:
        """Run `work` outside a transaction."""
        return await self._in_thread(partial(self._run, work))

    async def close(self) -> None:
        """Wait for the job in hand and end the thread; may be called more than once."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
            self._thread.shutdown()

    async def _in_thread(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StoreClosed("the store has been closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _prepare(self) -> None:
        with self._database.errors():
            self._database.prepare()

    def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._database.errors():
                if self._connection is None:
                    self._connection = self._database.connect()
                return work(self._connection)
        except DatabaseError:
            self._disconnect()
            raise

    def _transaction(self, work: Callable[[Connection], T], connection: Connection) -> T:
        with connection.begin():
            self._begin(connection)
            return work(connection)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
