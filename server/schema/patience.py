"""How long evaluations may keep the event loop from other work: what costs more is done again in a thread.

Not here: what evaluations may cost at all (`server.cel.cost`).
"""

import asyncio
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

AT_ONCE = 20_000
"""Cost of what is evaluated on the event loop: about ten milliseconds."""

T = TypeVar("T")
_patience: ContextVar[int] = ContextVar("patience", default=sys.maxsize)


class Laborious(Exception):
    """The evaluation takes longer than there is patience for; nothing has come of it."""


def patience() -> int:
    """What may be spent here and now."""
    return _patience.get()


async def unhurried(work: Callable[[], T]) -> T:
    """What `work` gives: at once, or from a thread when it is laborious. It runs twice then."""
    token = _patience.set(AT_ONCE)
    try:
        return work()
    except Laborious:
        pass
    finally:
        _patience.reset(token)
    return await asyncio.to_thread(work)
