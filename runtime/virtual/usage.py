"""What virtual pods seem to use: what their annotations `cpu` and `memory` say, else a little.

Nothing is known of those that `metrics` denies.
Processor time is counted from page to page, since what annotations say may change.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.meta import parse_timestamp
from runtime.pods.work import PodWork
from runtime.virtual.wishes import Wishes

CPU, MEMORY = "1m", "8Mi"
"""Of a container."""
NODE_CPU, NODE_MEMORY = 0.05, 256 << 20
"""Of a node without pods, in cores and bytes."""


class ContainerUse(NamedTuple):
    """`cores` is how much it uses now, `seconds` how much it has used, `memory` is in bytes."""

    work: PodWork
    name: str
    started: float
    cores: float
    seconds: float
    memory: int


class _Counter:
    """Core-seconds up to a moment."""

    __slots__ = ("at", "total")

    def __init__(self, at: float) -> None:
        self.at = at
        self.total = 0.0

    def advance(self, cores: float, now: float) -> float:
        self.total += cores * max(now - self.at, 0.0)
        self.at = now
        return self.total


class VirtualUsage:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._containers: dict[str, _Counter] = {}
        self._nodes: dict[str, _Counter] = {}

    def containers(self, works: Iterable[PodWork]) -> list[ContainerUse]:
        """Those that run now."""
        now = self._clock.now().timestamp()
        before, self._containers = self._containers, {}
        found = []
        for work in works:
            for container_id, name, started in _running(work):
                counter = before.get(container_id) or _Counter(started)
                self._containers[container_id] = counter
                wishes = Wishes(work.pod, name)
                if wishes.denied("metrics"):
                    continue
                cores = _amount(wishes.text("cpu"), CPU)
                memory = int(_amount(wishes.text("memory"), MEMORY))
                found.append(ContainerUse(work, name, started, cores, counter.advance(cores, now), memory))
        return found

    def page(self, nodes: Iterable[str], works: Iterable[PodWork]) -> str:
        """/metrics/resource of all nodes. A label says which one is meant."""
        uses = self.containers(works)
        lines = list(self._of_nodes(nodes, uses))
        stamp = round(self._clock.now().timestamp() * 1000)
        for use in uses:
            identity = use.work.identity
            labels = f'{{container="{use.name}",namespace="{identity.namespace}",pod="{identity.name}"}}'
            lines.append(f"container_cpu_usage_seconds_total{labels} {use.seconds:.6f} {stamp}")
            lines.append(f"container_memory_working_set_bytes{labels} {use.memory} {stamp}")
            lines.append(f"container_start_time_seconds{labels} {use.started:.3f}")
        return "\n".join([*lines, "resource_scrape_error 0", ""])

    def _of_nodes(self, nodes: Iterable[str], uses: Iterable[ContainerUse]) -> Iterator[str]:
        now = self._clock.now().timestamp()
        used = dict.fromkeys(nodes, (NODE_CPU, NODE_MEMORY))
        for use in uses:
            name = use.work.context.node_name
            cores, memory = used.get(name, (NODE_CPU, NODE_MEMORY))
            used[name] = cores + use.cores, memory + use.memory
        self._nodes = {name: self._nodes.get(name) or _Counter(now) for name in used}
        for name, (cores, memory) in used.items():
            total, stamp = self._nodes[name].advance(cores, now), round(now * 1000)
            yield f'node_cpu_usage_seconds_total{{node="{name}"}} {total:.6f} {stamp}'
            yield f'node_memory_working_set_bytes{{node="{name}"}} {memory} {stamp}'


def _running(work: PodWork) -> Iterator[tuple[str, str, float]]:
    """Ids, names and starts of the containers that run, as the pod's status has them."""
    status = work.writer.latest
    for kind in ("containerStatuses", "initContainerStatuses"):
        for each in status.get(kind) or ():
            running = (each.get("state") or {}).get("running")
            if running and each.get("containerID"):
                yield each["containerID"], each["name"], parse_timestamp(running["startedAt"]).timestamp()


def _amount(said: str, otherwise: str) -> float:
    """What makes no sense counts as not said."""
    try:
        return float(quantity.parse(said or otherwise))
    except quantity.QuantityError:
        return float(quantity.parse(otherwise))
