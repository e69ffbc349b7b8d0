"""The watches of the fake client: the whole history, and whoever follows it."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from kubeling.client.protocol import WatchEvent
from kubeling.objects.meta import Object

Matches = Callable[[Object], bool]


@dataclass(frozen=True, slots=True)
class _Change:
    resource: str
    revision: int
    new: Object | None
    old: Object | None
    final: Object | None

    def seen_by(self, resource: str, since: int, matches: Matches) -> WatchEvent | None:
        """What a watcher with a selection sees: objects come and go as they begin and cease to match."""
        if self.resource != resource or self.revision <= since:
            return None
        was = self.old is not None and matches(self.old)
        if self.new is not None and matches(self.new):
            return WatchEvent("MODIFIED" if was else "ADDED", copy.deepcopy(self.new))
        gone = self.final or self.new
        return WatchEvent("DELETED", copy.deepcopy(gone)) if was and gone else None


class FakeHub:
    """Keeps every change, so that a watch may begin at any revision."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._wakers: set[asyncio.Event] = set()
        self._generation = 0
        self._ended_with: Exception | None = None

    def publish(
        self,
        resource: str,
        revision: int,
        *,
        new: Object | None,
        old: Object | None,
        final: Object | None = None,
    ) -> None:
        """`new` replaced `old`; where new is None `old` went, `final` being its state as it went."""
        self._changes.append(_Change(resource, revision, new, old, final))
        self._wake()

    def end_all(self, error: Exception | None) -> None:
        self._generation += 1
        self._ended_with = error
        self._wake()

    async def follow(
        self, resource: str, *, since: int, matches: Matches
    ) -> AsyncGenerator[WatchEvent, None]:
        generation, at = self._generation, 0
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            while self._generation == generation:
                while at < len(self._changes):
                    change, at = self._changes[at], at + 1
                    event = change.seen_by(resource, since, matches)
                    if event:
                        yield event
                await waker.wait()
                waker.clear()
            if self._ended_with:
                raise self._ended_with
        finally:
            self._wakers.discard(waker)

    def _wake(self) -> None:
        for waker in self._wakers:
            waker.set()
