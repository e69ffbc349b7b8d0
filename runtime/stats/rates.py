"""How fast counters grow: from two looks at each."""

from collections.abc import Hashable
from typing import NamedTuple

SHORTEST, LONGEST = 1.0, 90.0
"""Seconds between two looks that tell a rate: less is noise, more is no news."""


class _Look(NamedTuple):
    at: float
    total: int
    rate: int | None


class Rates:
    """Remembers the last look at each counter."""

    def __init__(self) -> None:
        self._looks: dict[Hashable, _Look] = {}

    def rate(
        self, counter: Hashable, total: int, *, at: float, age: float, shortest: float = SHORTEST
    ) -> int | None:
        """Per second, since the last look or since the counter began, `age` seconds ago; None when neither is
        recent. `at` is monotonic."""
        last = self._looks.get(counter)
        if last is None or at - last.at > LONGEST or total < last.total:
            rate = round(total / age) if shortest <= age <= LONGEST else None
            self._looks[counter] = _Look(at, total, rate)
            return rate
        if at - last.at < shortest:
            return last.rate
        rate = round((total - last.total) / (at - last.at))
        self._looks[counter] = _Look(at, total, rate)
        return rate

    def forget_before(self, at: float) -> None:
        """Drop what was not looked at since."""
        self._looks = {counter: look for counter, look in self._looks.items() if look.at >= at}
