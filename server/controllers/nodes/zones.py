"""How fast the nodes of a zone may be emptied, by how many of them are not ready: upstream's rules.

When no node of any zone is ready, it is rather the control plane that is cut off: nothing is emptied.
A zone is what has the same topology labels. It knows nothing of taints or pods.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from kubeling.client.alarms import Alarms
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks

RATE, SECONDARY_RATE = 0.1, 0.01
"""Nodes per second: --node-eviction-rate, --secondary-node-eviction-rate."""
LARGE_CLUSTER = 50
UNHEALTHY_SHARE = 0.55
"""--large-cluster-size-threshold, --unhealthy-zone-threshold."""
EXCLUDED = "node.kubernetes.io/exclude-disruption"
_SLACK = 1e-6

INITIAL, NORMAL, PARTIAL, FULL = "Initial", "Normal", "PartialDisruption", "FullDisruption"


class _Place(NamedTuple):
    zone: str
    ready: bool
    counts: bool


@dataclass(slots=True)
class _Zone:
    ready: int = 0
    failing: int = 0
    state: str = INITIAL
    rate: float = RATE
    next_at: float = 0.0
    """When the next node may go; it does not help to have waited for longer than for one."""
    waiting: dict[str, None] = field(default_factory=dict)
    """The nodes that are to be emptied, in the order in which they failed."""

    @property
    def size(self) -> int:
        return self.ready + self.failing

    def judged(self) -> str:
        if self.failing and not self.ready:
            return FULL
        if self.failing > 2 and self.failing / self.size >= UNHEALTHY_SHARE:
            return PARTIAL
        return NORMAL

    def enter(self, state: str, now: float) -> None:
        self.state = state
        if state == PARTIAL:
            self.limit(SECONDARY_RATE if self.size > LARGE_CLUSTER else 0.0, now)
        else:
            self.limit(RATE, now)

    def limit(self, rate: float, now: float) -> None:
        """Whoever has to wait at the old rate begins to wait at the new one."""
        if rate == self.rate:
            return
        held_up = not self.rate or now + _SLACK < self.next_at
        self.rate = rate
        self.next_at = now + 1 / rate if rate and held_up else 0.0


class Zones:
    """Calls `admitted(name)` when a node may be emptied, `shifted()` when `blackout` begins or ends."""

    def __init__(self, clock: Clock, *, admitted: Callable[[str], None], shifted: Callable[[], None]) -> None:
        self.blackout = False
        """Whether there is no ready node left."""
        self._clock = clock
        self._say_admitted = admitted
        self._say_shifted = shifted
        self._tasks = Tasks("zones")
        self._alarms = Alarms[str](clock, self._tasks, self._next)
        self._places: dict[str, _Place] = {}
        self._zones: dict[str, _Zone] = {}
        self._admitted: set[str] = set()

    def observe(self, node: Object, *, ready: bool) -> None:
        """The node as it is now."""
        place = _Place(zone_of(node), ready, counts=EXCLUDED not in meta.labels(node))
        name = meta.name(node)
        before = self._places.get(name)
        if place == before:
            return
        if before is not None and before.zone != place.zone:
            self.withdraw(name)
        self._places[name] = place
        self._count(before, -1)
        self._count(place, 1)
        self._judge()

    def forget(self, name: str) -> None:
        self.withdraw(name)
        if (place := self._places.pop(name, None)) is not None:
            self._count(place, -1)
            self._judge()

    def may_empty(self, name: str) -> bool:
        """Whether it is the node's turn; where not, it is told when it is."""
        if name not in self._admitted and name in self._places:
            zone = self._places[name].zone
            self._zones[zone].waiting.setdefault(name)
            self._next(zone)
        return name in self._admitted

    def withdraw(self, name: str) -> None:
        """The node need not be emptied any more, or has been seen to."""
        self._admitted.discard(name)
        if name in self._places:
            self._zones[self._places[name].zone].waiting.pop(name, None)

    def state(self, zone: str) -> str:
        return self._zones[zone].state

    async def stop(self) -> None:
        await self._tasks.stop()

    def _count(self, place: _Place | None, one: int) -> None:
        if place is None:
            return
        zone = self._zones.setdefault(place.zone, _Zone())
        if place.counts and place.ready:
            zone.ready += one
        elif place.counts:
            zone.failing += one

    def _judge(self) -> None:
        now = self._clock.monotonic()
        populated = {name: zone for name, zone in self._zones.items() if zone.size}
        judged = {name: zone.judged() for name, zone in populated.items()}
        blackout = bool(judged) and all(state == FULL for state in judged.values())
        for name, zone in populated.items():
            if blackout:
                zone.state = FULL
                zone.limit(0.0, now)
            elif self.blackout or judged[name] != zone.state:
                zone.enter(judged[name], now)
                self._next(name)
        if blackout != self.blackout:
            self.blackout = blackout
            self._say_shifted()

    def _next(self, name: str) -> None:
        zone, now = self._zones[name], self._clock.monotonic()
        if not zone.waiting or not zone.rate:
            return
        if now + _SLACK >= zone.next_at:
            node = next(iter(zone.waiting))
            del zone.waiting[node]
            zone.next_at = now + 1 / zone.rate
            self._admitted.add(node)
            self._say_admitted(node)
        if zone.waiting:
            self._alarms.set(name, zone.next_at - now)


def zone_of(node: Object) -> str:
    """Region and zone as one text; empty when the node has neither."""
    labels = meta.labels(node)
    region, zone = (labels.get(f"topology.kubernetes.io/{each}", "") for each in ("region", "zone"))
    return f"{region}:\0:{zone}" if region or zone else ""
