"""The recent events of one resource, in memory, bounded by number and age. Older ones are in the log."""

from collections import deque
from collections.abc import Iterable

from server.storage.limits import Limits
from server.storage.record import Event


class History:
    """Holds every event of its resource after `floor`."""

    def __init__(self, *, floor: int, limits: Limits) -> None:
        self.floor = floor
        self._limits = limits
        self._events: deque[tuple[float, Event]] = deque()

    def extend(self, events: Iterable[Event], *, now: float) -> None:
        self._events.extend((now, event) for event in events)
        oldest = now - self._limits.recent_seconds
        while len(self._events) > self._limits.recent_events or self._events[0][0] < oldest:
            _, dropped = self._events.popleft()
            self.floor = dropped.revision

    def after(self, revision: int) -> list[Event]:
        """The events after a revision that is not below the floor, oldest first."""
        found = []
        for _, event in reversed(self._events):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    @property
    def newest(self) -> int:
        """The last event's revision; the floor when there is none."""
        return self._events[-1][1].revision if self._events else self.floor
