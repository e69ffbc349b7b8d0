"""How long to wait before a Service is looked at again, so that a burst of changes is written as one.

The first change is followed at once; those on its heels gather for a while that grows with what has to be
written: a thousand pods that become ready are a few writes.
"""

from kubeling.objects.clock import Clock

SHORTEST = 0.1
"""Seconds."""


class Pace:
    def __init__(self, clock: Clock, *, per_pod: float) -> None:
        """`per_pod`: seconds that each pod of a Service adds, by what it costs to write."""
        self._clock = clock
        self._per_pod = per_pod
        self._next: dict[str, float] = {}

    def delay(self, key: str) -> float:
        """Seconds from now until the key may be worked on."""
        return max(0.0, self._next.get(key, 0.0) - self._clock.monotonic())

    def worked(self, key: str, size: int) -> None:
        """The key is being worked on, and stands for so many pods."""
        self._next[key] = self._clock.monotonic() + SHORTEST + self._per_pod * size

    def forget(self, key: str) -> None:
        self._next.pop(key, None)
