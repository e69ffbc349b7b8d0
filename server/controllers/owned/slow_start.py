"""Doing the same many times at once, a few first: 1, 2, 4, 8, ... as long as all succeed.

So a quota or a webhook that refuses everything is asked once, not a thousand times.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

FIRST = 1


async def slow_start(
    items: Sequence[Item], work: Callable[[Item], Awaitable[object]], *, first: int = FIRST
) -> tuple[int, Exception | None]:
    """How many succeeded, and the first failure, after whose batch nothing more was begun."""
    done, size = 0, first
    position = 0
    while position < len(items):
        batch = items[position : position + size]
        results = await asyncio.gather(*(work(each) for each in batch), return_exceptions=True)
        failures = [each for each in results if isinstance(each, BaseException)]
        done += len(batch) - len(failures)
        for failure in failures:
            if not isinstance(failure, Exception):
                raise failure
        if failures:
            return done, next(each for each in failures if isinstance(each, Exception))
        position += len(batch)
        size *= 2
    return done, None
