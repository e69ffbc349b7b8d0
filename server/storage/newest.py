"""Keeps the parsed objects of the newest events for a moment: whoever hears of them need not parse them.

The objects are several times the size of their encoded form, so only a few stay.
"""

from collections import deque
from collections.abc import Iterable

from server.storage.record import Event

KEPT = 256
"""Events: what a watcher in this process that is awake has not looked at yet."""


class Newest:
    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def add(self, events: Iterable[Event]) -> None:
        """Remember the events, and let the oldest go."""
        self._events.extend(events)
        while len(self._events) > KEPT:
            oldest = self._events.popleft()
            oldest.record.fresh = None
            if oldest.previous is not None:
                oldest.previous.forget()
