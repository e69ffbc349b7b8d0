"""Growing delays between attempts. Only the arithmetic; whoever retries does the waiting."""

import random


class Backoff:
    """Delays in seconds that grow by `factor` up to `limit`, each spread by `jitter` (0.1: 10 % more)."""

    def __init__(
        self, *, initial: float = 0.02, factor: float = 1.3, limit: float = 3.0, jitter: float = 0.1
    ) -> None:
        self._initial = initial
        self._factor = factor
        self._limit = limit
        self._jitter = jitter
        self._next = initial

    def next(self) -> float:
        delay = self._next
        self._next = min(delay * self._factor, self._limit)
        return delay * (1 + random.random() * self._jitter)

    def reset(self) -> None:
        self._next = self._initial
