"""Reads the nodes' pages when somebody asks for metrics, and not at all when nobody does.

A look serves all who ask within ten seconds. Who asks for what one look does not tell waits for a second one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from kubeling.objects.clock import Clock
from server.api.nodes import Endpoint
from server.api.resource_metrics.exposition import point_of
from server.api.resource_metrics.points import LONGEST, Point, merged

logger = logging.getLogger(__name__)

EVERY, SOONEST, PAUSE = 10.0, 2.0, 1.0
"""Seconds: for which a look holds; for which it holds when something is missing in it; between two looks that
have to tell a usage by themselves."""
AT_ONCE = 16
KEPT = 8

Read = Callable[[Endpoint], Awaitable[str]]
"""A node's page. Raises OSError or TimeoutError when it does not answer."""


class Scraper:
    """`nodes` gives the agents to ask, each with the name of a node that it speaks for; `pause` is the clock
    by which it waits between two looks."""

    def __init__(
        self, nodes: Callable[[], Mapping[Endpoint, str]], read: Read, clock: Clock, *, pause: Clock
    ) -> None:
        self._nodes = nodes
        self._read = read
        self._clock = clock
        self._pause = pause
        self._looks: deque[tuple[float, Point]] = deque(maxlen=KEPT)
        self._looking = asyncio.Lock()

    async def points(self) -> Sequence[Point]:
        """The last looks, the oldest first."""
        async with self._looking:
            if self._age() >= EVERY:
                await self._look()
        return self._recent()

    async def newer(self) -> Sequence[Point]:
        """The same when something is missing in them."""
        async with self._looking:
            alone = len(self._recent()) < 2
            if alone:
                await self._pause.sleep(PAUSE)
            if alone or self._age() >= SOONEST:
                await self._look()
        return self._recent()

    def _age(self) -> float:
        """Of the last look."""
        return self._clock.monotonic() - self._looks[-1][0] if self._looks else float("inf")

    def _recent(self) -> Sequence[Point]:
        now = self._clock.monotonic()
        return [point for at, point in self._looks if now - at <= LONGEST]

    async def _look(self) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def look(endpoint: Endpoint, node: str) -> Point:
            async with gate:
                return await self._ask(endpoint, node)

        found = await asyncio.gather(*(look(endpoint, node) for endpoint, node in self._nodes().items()))
        self._looks.append((self._clock.monotonic(), merged(found)))

    async def _ask(self, endpoint: Endpoint, node: str) -> Point:
        """Nothing when the agent does not answer."""
        try:
            return point_of(await self._read(endpoint), node, now=self._clock.now().timestamp())
        except (OSError, TimeoutError) as error:
            logger.info("node %s gives no metrics: %s", node, error)
            return Point()
