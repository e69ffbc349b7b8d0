"""Since when thresholds are met, which of them call for action, and which pressure the node is under. Pure.

met ──(grace period over)──> to be acted on ──(enough is free again, the minimum reclaim too)──> resolved
condition: true while met, and for the transition period after that
"""

from collections.abc import Iterable

from runtime.eviction.signals import Observations, condition
from runtime.eviction.thresholds import Threshold, met


class Pressure:
    """Times are monotonic seconds."""

    def __init__(self, thresholds: Iterable[Threshold], *, transition: float) -> None:
        self.thresholds = tuple(thresholds)
        self._transition = transition
        self._first_met: dict[Threshold, float] = {}
        self._acted_on: list[Threshold] = []
        self._last_seen: dict[str, float] = {}
        self.conditions: frozenset[str] = frozenset()
        """The node's conditions that hold."""
        self.met: tuple[Threshold, ...] = ()
        """The thresholds that are met at this moment, or not resolved yet."""

    def update(self, seen: Observations, now: float) -> list[Threshold]:
        """Take note of what is observed; returns the thresholds that call for action."""
        present = met(self.thresholds, seen)
        unresolved = met(self._acted_on, seen, with_reclaim=True)
        present += [each for each in unresolved if each not in present]
        self.met = tuple(present)
        self._first_met = {each: self._first_met.get(each, now) for each in present}
        self._last_seen |= {condition(each.signal): now for each in present}
        self.conditions = frozenset(
            kind for kind, at in self._last_seen.items() if at == now or now - at < self._transition
        )
        self._acted_on = [each for each, at in self._first_met.items() if now - at >= each.grace]
        return list(self._acted_on)
