"""A histogram of seconds, as metrics show it. Counting is one look into a short list."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """`bounds` are the upper bounds of its buckets, rising."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bounds as Prometheus writes them, and how many lie at or below."""
        found, below = [], 0
        names = [*(f"{each:g}" for each in self.bounds), "+Inf"]
        for bound, count in zip(names, self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found
