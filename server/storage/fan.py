"""The watchers of one scope, and the pace at which they are told.

Telling a hundred watchers of one event costs a hundred writes to sockets, whatever the event. A few watchers
hear of each event at once. Where there are many, the first event after a while goes out at once, and those
that follow on its heels gather for a moment and go out together.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from server.storage.record import Event

FEW = 16
"""So many watchers are always told at once."""
PAUSE_SECONDS = 30e-6
"""For each watcher, about what telling it costs; so half of the time, at most, goes into telling."""
LONGEST_PAUSE_SECONDS = 0.003


class Watcher(Protocol):
    def offer(self, events: Sequence[Event]) -> None:
        """Take committed events, in order. Must not await, and must not change the hub."""

    def lose(self) -> None:
        """Events were missed: what waits is dropped, and the watch fails when it is next asked."""

    def close(self) -> None:
        """End: no more events will come."""


class Fan:
    def __init__(self) -> None:
        self.watchers: dict[Watcher, None] = {}
        self.gathered: list[Event] = []
        """Events that nobody has been told of yet."""
        self._pause: asyncio.TimerHandle | None = None

    def offer(self, events: Sequence[Event]) -> None:
        """Tell the watchers, now or in a moment."""
        if self._pause is not None:
            self.gathered.extend(events)
            return
        self._tell(events)
        if len(self.watchers) > FEW:
            self._begin_pause()

    def flush(self) -> None:
        """Tell them now what has gathered."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        events, self.gathered = self.gathered, []
        if events:
            self._tell(events)

    def _tell(self, events: Sequence[Event]) -> None:
        for watcher in tuple(self.watchers):
            watcher.offer(events)

    def _begin_pause(self) -> None:
        seconds = min(len(self.watchers) * PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        self._pause = asyncio.get_running_loop().call_later(seconds, self._end_pause)

    def _end_pause(self) -> None:
        self._pause = None
        events, self.gathered = self.gathered, []
        if events:
            self.offer(events)
