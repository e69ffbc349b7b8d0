"""Doing the same many times at once, a few first: 1, 2, 4, 8, ... as long as all succeed.

So a quota or a webhook that refuses everything is asked once, not a thousand times. No more than LARGEST are
under way at once: others have work to do in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

FIRST = 1
LARGEST = 8


async def slow_start(
    items: Sequence[Item], work: Callable[[Item], Awaitable[object]], *, first: int = FIRST
) -> tuple[int, Exception | None]:
    """How many succeeded, and the first failure, after whose batch nothing more was begun."""
    done, size = 0, first
    position = 0
    while position < len(items):
        batch = items[position : position + size]
        failures = await _together(batch, work)
        done += len(batch) - len(failures)
        if failures:
            return done, failures[0]
        position += len(batch)
        size = min(2 * size, LARGEST)
    return done, None


async def for_each(items: Sequence[Item], work: Callable[[Item], Awaitable[object]]) -> Exception | None:
    """Do it for all, whatever fails. The first failure."""
    first: Exception | None = None
    for position in range(0, len(items), LARGEST):
        failures = await _together(items[position : position + LARGEST], work)
        if failures and first is None:
            first = failures[0]
    return first


async def _together(batch: Sequence[Item], work: Callable[[Item], Awaitable[object]]) -> list[Exception]:
    """The failures."""
    failures: list[Exception] = []
    for result in await asyncio.gather(*(work(each) for each in batch), return_exceptions=True):
        if isinstance(result, Exception):
            failures.append(result)
        elif isinstance(result, BaseException):
            raise result
    return failures
