"""The watch hub: takes each committed batch, remembers it, and hands it to the watches that it concerns.

Watches themselves, with replay from the log, are in `watch`. Everything here runs on the event loop without
awaiting, so that a batch reaches history, revision and watchers in one step.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from kubeling.objects.clock import Clock
from server.storage.fan import Fan, Watcher
from server.storage.history import History
from server.storage.limits import Limits
from server.storage.record import Event


class Scope(NamedTuple):
    """What a watch sees: a resource, in one namespace or (None) everywhere."""

    resource: str
    namespace: str | None


class Hub:
    def __init__(self, *, revision: int, clock: Clock, limits: Limits) -> None:
        self.revision = revision
        self._opened_at = revision
        self._clock = clock
        self._limits = limits
        self._histories: dict[str, History] = {}
        self._fans: dict[Scope, Fan] = {}

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
            if fan := self._fans.get(scope):
                fan.offer(group)

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
        fan = self._fans.get(scope) or self._fans.setdefault(scope, Fan())
        fan.flush()
        missed = history.after(after)
        if scope.namespace is not None:
            missed = [event for event in missed if event.record.namespace == scope.namespace]
        watcher.offer(missed)
        fan.watchers[watcher] = None
        return True

    def reached(self, scope: Scope) -> int:
        """The revision up to which the scope's watchers have been offered all there is."""
        fan = self._fans.get(scope)
        return fan.gathered[0].revision - 1 if fan and fan.gathered else self.revision

    def detach(self, watcher: Watcher, scope: Scope) -> None:
        fan = self._fans.get(scope)
        if fan is not None:
            fan.watchers.pop(watcher, None)
            if not fan.watchers:
                fan.flush()
                del self._fans[scope]

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
        """Every watcher, once they all have been told what has gathered."""
        for fan in self._fans.values():
            fan.flush()
        return [watcher for fan in self._fans.values() for watcher in fan.watchers]
