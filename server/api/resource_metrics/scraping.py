"""Reads the nodes' pages while somebody asks for metrics, and not at all when nobody does.

The first question is answered after two looks, a second apart. From then on there is a look every 15 s, until
nobody has asked for five minutes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from server.api.nodes import Endpoint
from server.api.resource_metrics.exposition import point_of
from server.api.resource_metrics.points import Point, merged

logger = logging.getLogger(__name__)

FIRST, EVERY, UNASKED, SOONEST = 1.0, 15.0, 300.0, 2.0
"""Seconds: between the first two looks; between others; without a question until it ends; at least between
two looks when something is missing."""
AT_ONCE = 16
KEPT = 5

Read = Callable[[Endpoint], Awaitable[str]]
"""A node's page. Raises OSError or TimeoutError when it does not answer."""


class Scraper:
    """`nodes` gives the agents to ask, each with the name of a node that it speaks for."""

    def __init__(self, nodes: Callable[[], Mapping[Endpoint, str]], read: Read, clock: Clock) -> None:
        self._nodes = nodes
        self._read = read
        self._clock = clock
        self._tasks = Tasks("resource-metrics")
        self._points: deque[Point] = deque(maxlen=KEPT)
        self._looking = asyncio.Lock()
        self._looked_at = self._asked_at = float("-inf")
        self._working = False

    async def points(self) -> Sequence[Point]:
        """The last looks, the oldest first; at least two."""
        self._asked_at = self._clock.monotonic()
        if len(self._points) < 2:
            async with self._looking:
                await self._begin()
        if not self._working:
            self._working = True
            self._tasks.start(self._work(), name="look")
        return tuple(self._points)

    async def newer(self) -> Sequence[Point]:
        """Look again, since something is missing, unless that was done a moment ago."""
        async with self._looking:
            if self._clock.monotonic() - self._looked_at >= SOONEST:
                await self._look()
        return tuple(self._points)

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _begin(self) -> None:
        while len(self._points) < 2:
            await self._look()
            if len(self._points) < 2:
                await self._clock.sleep(FIRST)

    async def _work(self) -> None:
        try:
            while self._clock.monotonic() - self._asked_at < UNASKED:
                await self._clock.sleep(EVERY)
                async with self._looking:
                    await self._look()
        finally:
            self._working = False
            self._points.clear()

    async def _look(self) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def look(endpoint: Endpoint, node: str) -> Point:
            async with gate:
                return await self._ask(endpoint, node)

        found = await asyncio.gather(*(look(endpoint, node) for endpoint, node in self._nodes().items()))
        self._looked_at = self._clock.monotonic()
        self._points.append(merged(found))

    async def _ask(self, endpoint: Endpoint, node: str) -> Point:
        """Nothing when the agent does not answer."""
        try:
            return point_of(await self._read(endpoint), node)
        except (OSError, TimeoutError) as error:
            logger.info("node %s gives no metrics: %s", node, error)
            return Point()
