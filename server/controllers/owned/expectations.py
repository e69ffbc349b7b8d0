"""What a controller has asked for and has not yet seen: so that it never makes or deletes twice.

A cache lags behind the controller's own writes. Before it writes, a controller expects so many creations and
the deletion of these; its handlers report what they see; and only a key that is `satisfied` may count its
objects. Expectations that nobody has met for TIMEOUT are forgotten, since the event may have been lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubeling.objects.clock import Clock

TIMEOUT = 300.0
"""Seconds, as upstream's ExpectationsTimeout."""


@dataclass(slots=True)
class _Expected:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    """By the key of the owner. A deletion is expected by the object's uid, and met once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, key: str) -> bool:
        """Whether all that was asked for has been seen, or has been waited for long enough."""
        expected = self._expected.get(key)
        if expected is None or (expected.creations <= 0 and not expected.deletions):
            return True
        return self._clock.monotonic() - expected.since > TIMEOUT

    def expect(self, key: str, *, creations: int = 0, deletions: Iterable[str] = ()) -> None:
        """Before writing: replace what was expected of a key that is satisfied."""
        self._expected[key] = _Expected(self._clock.monotonic(), creations, set(deletions))

    def expect_more(self, key: str, *, creations: int = 0, deletions: Iterable[str] = ()) -> None:
        """Before writing: add to what is expected already."""
        expected = self._expected.setdefault(key, _Expected(self._clock.monotonic()))
        expected.creations += creations
        expected.deletions |= set(deletions)

    def created(self, key: str, *, count: int = 1) -> None:
        """So many were seen to be created, or will not be."""
        if (expected := self._expected.get(key)) is not None:
            expected.creations -= count

    def deleted(self, key: str, uid: str) -> None:
        """It was seen to be gone or going, or will not be deleted."""
        if (expected := self._expected.get(key)) is not None:
            expected.deletions.discard(uid)

    def forget(self, key: str) -> None:
        """The owner is gone."""
        self._expected.pop(key, None)
