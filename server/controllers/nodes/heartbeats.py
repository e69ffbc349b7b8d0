"""When each node last gave a sign of life. A sign costs two dictionary operations, and no timer."""

from collections.abc import Callable, Iterable

from kubeling.client.alarms import Alarms
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks


class Heartbeats:
    """Calls `silent(name)` once for a node that has given no sign for its grace, in seconds.

    Nodes of one grace stand in the order of their last signs, so that only the first of them can be due:
    one deadline for each grace is all that waits, and it moves when it is reached, not with every sign.
    """

    def __init__(self, clock: Clock, silent: Callable[[str], None]) -> None:
        self._clock = clock
        self._report = silent
        self._tasks = Tasks("heartbeats")
        self._alarms = Alarms[float](clock, self._tasks, self._look)
        self._graces: dict[str, float] = {}
        self._seen: dict[float, dict[str, float]] = {}
        """By grace, when each node that is not silent was seen, the longest ago first."""

    def beat(self, name: str) -> None:
        """A sign of a known node."""
        grace = self._graces.get(name)
        if grace is not None:
            seen = self._seen[grace]
            seen.pop(name, None)
            seen[name] = self._clock.monotonic()
            if grace not in self._alarms:
                self._alarms.set(grace, grace)

    def expect(self, name: str, grace: float) -> None:
        """From now on the node may stay silent for so long; with a new grace its time begins anew."""
        before = self._graces.get(name)
        if before == grace:
            return
        if before is not None:
            self._seen[before].pop(name, None)
        self._graces[name] = grace
        self._seen.setdefault(grace, {})
        self.beat(name)

    def forget(self, name: str) -> None:
        grace = self._graces.pop(name, None)
        if grace is not None:
            self._seen[grace].pop(name, None)

    def is_silent(self, name: str) -> bool:
        grace = self._graces.get(name)
        return grace is not None and name not in self._seen[grace]

    def names(self) -> Iterable[str]:
        return self._graces.keys()

    async def stop(self) -> None:
        await self._tasks.stop()

    def _look(self, grace: float) -> None:
        seen, now = self._seen[grace], self._clock.monotonic()
        while seen:
            name, last = next(iter(seen.items()))
            if last + grace > now:
                self._alarms.set(grace, last + grace - now)
                return
            del seen[name]
            self._report(name)
