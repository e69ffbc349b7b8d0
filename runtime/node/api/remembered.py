"""Answers that hold for some time: a mapping that forgets, and that does not grow without bound."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from kubeling.objects.clock import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

MOST = 4096


class Remembered(Generic[Key, Value]):
    def __init__(self, clock: Clock, *, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[Key, tuple[float, Value]] = {}

    def __contains__(self, key: Key) -> bool:
        until, _ = self._kept.get(key, (0.0, None))
        return key in self._kept and self._clock.monotonic() < until

    def __getitem__(self, key: Key) -> Value:
        return self._kept[key][1]

    def keep(self, key: Key, value: Value, *, seconds: float) -> None:
        """What has been kept longest goes when there is no room."""
        self._kept.pop(key, None)
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._clock.monotonic() + seconds, value)
