"""Pods that end again and again are replaced ever more slowly: each place has a delay that doubles."""

from kubeling.client.backoff import Backoff


class Patience:
    """Delays in seconds; a place where nothing ended for twice the longest begins anew."""

    def __init__(self, *, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._places: dict[str, tuple[Backoff, float]] = {}

    def wait(self, place: str, now: float) -> float:
        """How long it is still to be waited there; 0: act now, and the next time comes after a longer delay.

        `now` is monotonic.
        """
        backoff, until = self._places.get(place) or (None, 0.0)
        if now < until:
            return until - now
        if backoff is None or now > until + 2 * self._longest:
            self._forget_old(now)
            backoff = Backoff(initial=self._first, factor=2, limit=self._longest, jitter=0)
        self._places[place] = backoff, now + backoff.next()
        return 0.0

    def _forget_old(self, now: float) -> None:
        old = [each for each, (_, until) in self._places.items() if now > until + 2 * self._longest]
        for place in old:
            del self._places[place]
