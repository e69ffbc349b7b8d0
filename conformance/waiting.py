"""Wait for something to become true: the only place of the suites where time passes idly.

Not here: waits that a client offers itself (`kubectl wait`, a watch).
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T | None], *, what: str, timeout: float = 30, every: float = 0.1) -> T:
    """The first true value that `probe` returns; an AssertionError naming `what` after `timeout` seconds.

    An AssertionError of the probe counts as "not yet", and its text is shown if it stays.
    """
    end = time.monotonic() + timeout
    while True:
        last, value = _attempt(probe)
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {timeout:g} s: {what}; last seen: {last}")
        time.sleep(every)


def _attempt(probe: Callable[[], T | None]) -> tuple[object, T | None]:
    try:
        value = probe()
    except AssertionError as error:
        return error, None
    return value, value
