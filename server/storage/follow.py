"""Following other servers' commits while this one has nothing to write: by announcements, without polling.

When the listening connection is lost a new one is made, and what may have been missed is asked for. Not here:
reading the rows, which the writer does.
"""

import asyncio
from collections.abc import Awaitable, Callable

from kubeling.objects.clock import Clock
from server.storage.database import Database, Listener
from server.storage.errors import DatabaseError
from server.storage.outage import Outage

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
"""Seconds between two attempts to connect."""


class Follower:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        outage: Outage,
        *,
        reach: Callable[[int], Awaitable[None]],
        fresh: Callable[[], Awaitable[None]],
    ) -> None:
        """`reach` catches up to a revision, `fresh` to whatever there is."""
        self._database = database
        self._clock = clock
        self._reach = reach
        self._fresh = fresh
        self._outage = outage
        self._delay = FIRST_DELAY

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._connected()
            except DatabaseError as error:
                self._outage.begins(error)
            await self._clock.sleep(self._delay)
            self._delay = min(self._delay * 2, LONGEST_DELAY)

    async def _connected(self) -> None:
        listener = await self._listen()
        try:
            await self._fresh()
            self._outage.ends()
            self._delay = FIRST_DELAY
            await self._follow(listener)
        finally:
            listener.close()

    async def _listen(self) -> Listener:
        making = asyncio.get_running_loop().run_in_executor(None, self._database.listen)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.wait((making,))
            if making.exception() is None:
                making.result().close()
            raise

    async def _follow(self, listener: Listener) -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        descriptor = listener.fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            while True:
                readable.clear()
                announced = listener.received()
                if announced:
                    await self._reach(max(announced))
                await readable.wait()
        finally:
            loop.remove_reader(descriptor)
