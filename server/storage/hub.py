"""The watch hub: takes each committed batch, remembers it, and hands it to the watches that it concerns.

Watches themselves, with replay from the log, are in `watch`. Everything here runs on the event loop without
awaiting, so that a batch reaches history, revision and watchers in one step.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kubeling.objects.clock import Clock
from server.storage.history import History
from server.storage.limits import Limits
from server.storage.record import Event


class Scope(NamedTuple):
    """What a watch sees: a resource, in one namespace or (None) everywhere."""

    resource: str
    namespace: str | None


class Watcher(Protocol):
    def offer(self, events: Sequence[Event]) -> None:
        """Take committed events, in order. Must not await, and must not change the hub."""

    def lose(self) -> None:
        """Events were missed: what waits is dropped, and the watch fails when it is next asked."""

    def close(self) -> None:
        """End: no more events will come."""


class Hub:
    def __init__(self, *, revision: int, clock: Clock, limits: Limits) -> None:
        self.revision = revision
        self._opened_at = revision
        self._clock = clock
        self._limits = limits
        self._histories: dict[str, History] = {}
        self._watchers: dict[Scope, dict[Watcher, None]] = defaultdict(dict)

    def publish(self, events: Sequence[Event], *, revision: int) -> None:
        """Deliver one committed batch; `revision` is the newest after it."""
        self.revision = revision
        groups: dict[Scope, list[Event]] = defaultdict(list)
        for event in events:
            groups[Scope(event.record.resource, None)].append(event)
            groups[Scope(event.record.resource, event.record.namespace)].append(event)
        now = self._clock.monotonic()
        for scope, group in groups.items():
            if scope.namespace is None:
                self.history(scope.resource).extend(group, now=now)
            for watcher in self._watchers.get(scope, ()):
                watcher.offer(group)

    def history(self, resource: str) -> History:
        history = self._histories.get(resource)
        if history is None:
            history = self._histories[resource] = History(floor=self._opened_at, limits=self._limits)
        return history

    def attach(self, watcher: Watcher, scope: Scope, *, after: int) -> bool:
        """Offer the watcher all after a revision, past and future; False if memory no longer has it."""
        history = self.history(scope.resource)
        if after < history.floor:
            return False
        missed = history.after(after)
        if scope.namespace is not None:
            missed = [event for event in missed if event.record.namespace == scope.namespace]
        watcher.offer(missed)
        self._watchers[scope][watcher] = None
        return True

    def detach(self, watcher: Watcher, scope: Scope) -> None:
        watchers = self._watchers.get(scope, {})
        watchers.pop(watcher, None)
        if not watchers:
            self._watchers.pop(scope, None)

    def restart(self, *, revision: int) -> None:
        """Go on from a revision to which no events lead: every watch fails, to be begun again."""
        self.revision = self._opened_at = revision
        self._histories.clear()
        for watcher in self._all():
            watcher.lose()

    def close(self) -> None:
        """End every watch."""
        for watcher in self._all():
            watcher.close()

    def _all(self) -> list[Watcher]:
        return [watcher for watchers in self._watchers.values() for watcher in watchers]
