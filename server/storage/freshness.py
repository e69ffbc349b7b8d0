"""The barrier of linearizable reads on a shared database: memory is brought up to what anybody acknowledged.

One question is under way at a time and answers all who had come before it was put. Not here: catching up
itself, which is the writer's.
"""

import asyncio
from collections.abc import Awaitable, Callable

from server.storage import log
from server.storage.errors import DatabaseError, StorageError, StoreClosed
from server.storage.lane import Lane

Reach = Callable[[int], Awaitable[None]]
"""Returns when memory has come to a revision that was committed; raises DatabaseError if it cannot."""


class Freshness:
    def __init__(self, lane: Lane, reach: Reach) -> None:
        self._lane = lane
        self._reach = reach
        self._next: asyncio.Future[int] | None = None
        self._wanted = asyncio.Event()
        self._closed = False

    async def fresh(self) -> None:
        """Wait until memory holds all that any server had acknowledged when this was called.

        Raises:
            DatabaseError: the database does not say.
            StoreClosed: it has been closed.
        """
        if self._closed:
            raise StoreClosed("the store has been closed")
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._wanted.set()
        await self._reach(await asyncio.shield(self._next))

    async def run(self) -> None:
        """Put the questions; for a task."""
        while not self._closed:
            await self._wanted.wait()
            self._wanted.clear()
            asked, self._next = self._next, None
            if asked is not None:
                await self._ask(asked)

    def close(self) -> None:
        self._closed = True
        self._wanted.set()
        if self._next is not None:
            _refuse(self._next, StoreClosed("the store has been closed"))

    async def _ask(self, asked: asyncio.Future[int]) -> None:
        try:
            asked.set_result(await self._lane.direct(log.current_revision))
        except (DatabaseError, StoreClosed) as error:
            _refuse(asked, error)


def _refuse(asked: asyncio.Future[int], error: StorageError) -> None:
    if not asked.done():
        asked.set_exception(error)
        asked.exception()  # it is no fault if all who asked are gone by now
