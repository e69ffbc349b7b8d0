"""Exponential back-off per key, with the kubelet's rules for crashing containers and failing pulls.

The first failure of a key costs nothing; later ones wait 10 s, 20 s, ... up to 5 minutes. A key that was
quiet for ten minutes starts again from the beginning. All moments are of the monotonic clock.
"""

from dataclasses import dataclass, field

from kubeling.objects import durations
from runtime.kubelet_configuration import KubeletConfiguration

INITIAL = 10.0
LONGEST = 300.0
QUIET = 600.0


@dataclass(slots=True)
class _Entry:
    wait: float
    updated: float


@dataclass(slots=True)
class Backoff:
    """Waits in seconds, in memory only: the agent's restart forgets them, as the kubelet's does."""

    initial: float = INITIAL
    longest: float = LONGEST
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def wait(self, key: str) -> float:
        """The wait in force for the key; 0 when it has none."""
        entry = self._entries.get(key)
        return entry.wait if entry else 0.0

    def remaining(self, key: str, *, since: float, now: float) -> float:
        """Seconds until the key may be tried again, counted from the failure at `since`."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, since):
            return 0.0
        return max(0.0, entry.wait - (now - since))

    def remaining_since_update(self, key: str, *, now: float) -> float:
        entry = self._entries.get(key)
        return self.remaining(key, since=entry.updated, now=now) if entry else 0.0

    def failed(self, key: str, *, at: float) -> None:
        """Count one more try at `at`: the next wait is the first one, or twice the last."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, at):
            self._entries[key] = _Entry(self.initial, at)
            return
        entry.wait = min(entry.wait * 2, self.longest)
        entry.updated = at

    def forget(self, prefix: str) -> None:
        """Drop every key that begins with the prefix."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]

    def _expired(self, entry: _Entry, moment: float) -> bool:
        return moment - entry.updated > QUIET


def crash_backoff(kubelet: KubeletConfiguration) -> Backoff:
    """That of crashing containers, whose longest wait a node may shorten."""
    longest = kubelet.crash_loop_back_off.get("maxContainerRestartPeriod")
    seconds = LONGEST if longest is None else durations.parse(str(longest))
    return Backoff(initial=min(INITIAL, seconds), longest=seconds)
