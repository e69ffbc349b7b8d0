"""What the agent looks at now and then although nobody told it to: events can be lost, clocks be set."""

import logging
from collections.abc import Callable

from kubeling.objects.clock import Clock

logger = logging.getLogger(__name__)

CLOCK_EVERY = 30.0
"""Seconds between looks at the wall clock."""
RELIST_EVERY = 300.0
"""Seconds after which the runtime's pods are read again, as the kubelet does that is told of events."""
STEP = 2.0
"""Seconds by which a wall clock has been set, not adjusted."""


async def resync(clock: Clock, *, relist: Callable[[], None], clock_set: Callable[[], None]) -> None:
    """For ever."""
    listed, difference = clock.monotonic(), _difference(clock)
    while True:
        await clock.sleep(CLOCK_EVERY)
        step = _difference(clock) - difference
        if abs(step) > STEP:
            logger.warning("the wall clock has been set by %+.0f s", step)
            clock_set()
        difference += step
        if clock.monotonic() - listed >= RELIST_EVERY:
            listed = clock.monotonic()
            relist()


def _difference(clock: Clock) -> float:
    return clock.now().timestamp() - clock.monotonic()
