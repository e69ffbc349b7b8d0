"""NodeMetrics and PodMetrics, made when somebody asks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from kubeling.objects import durations, quantity
from kubeling.objects.clock import Clock
from kubeling.objects.errors import GroupResource, InternalError
from kubeling.objects.meta import Object, timestamp
from server.api.nodes import Endpoint, endpoint_of
from server.api.resource_metrics.points import Point, Usage, node_usage, pod_usage
from server.api.resource_metrics.scraping import Read, Scraper
from server.registry.computed import Computed
from server.registry.groups.metrics import API_VERSION, GROUP
from server.storage import Record, Store


class ResourceMetrics:
    """`housekeeping` is the clock by which it waits for what a look at the nodes does not tell."""

    def __init__(self, store: Store, read: Read, clock: Clock, housekeeping: Clock) -> None:
        self._store = store
        self._clock = clock
        self._scraper = Scraper(self._agents, read, clock, pause=housekeeping)

    def by_resource(self) -> Mapping[GroupResource, Computed]:
        """What the registry asks for the kinds whose objects are not stored."""
        return {GroupResource(GROUP, "nodes"): self._nodes, GroupResource(GROUP, "pods"): self._pods}

    async def _nodes(self, namespace: str) -> Sequence[Object]:
        return await self._made(self._store.list("nodes"), self._node)

    async def _pods(self, namespace: str) -> Sequence[Object]:
        records = self._store.list("pods", namespace or None)
        return await self._made([each for each in records if _runs(each)], self._pod)

    async def _made(
        self, records: Sequence[Record], make: Callable[[Sequence[Point], Record], Object | None]
    ) -> Sequence[Object]:
        """Of all that there are metrics of; when some lack them there is another look."""
        if not records:
            return []
        points = await self._scraper.points()
        found = [make(points, each) for each in records]
        if None in found:
            points = await self._scraper.newer()
            found = [make(points, each) for each in records]
        return [each for each in found if each is not None]

    def _node(self, points: Sequence[Point], record: Record) -> Object | None:
        usage = node_usage(points, record.name)
        if usage is None:
            return None
        return {**self._head("NodeMetrics", record), **_when([usage]), "usage": _amounts(usage)}

    def _pod(self, points: Sequence[Point], record: Record) -> Object | None:
        found = pod_usage(points, (record.namespace, record.name))
        if found is None:
            return None
        containers = [{"name": name, "usage": _amounts(usage)} for name, usage in found.items()]
        return {**self._head("PodMetrics", record), **_when(found.values()), "containers": containers}

    def _head(self, kind: str, record: Record) -> Object:
        metadata: Object = {"name": record.name, "creationTimestamp": timestamp(self._clock.now())}
        if record.namespace:
            metadata["namespace"] = record.namespace
        if record.labels:
            metadata["labels"] = dict(record.labels)
        return {"kind": kind, "apiVersion": API_VERSION, "metadata": metadata}

    def _agents(self) -> Mapping[Endpoint, str]:
        """Where to ask. Virtual nodes have one agent for all."""
        found: dict[Endpoint, str] = {}
        for record in self._store.list("nodes"):
            try:
                found.setdefault(endpoint_of(record.obj), record.name)
            except InternalError:  # it has no address yet
                continue
        return found


def _runs(record: Record) -> bool:
    return bool((record.obj.get("status") or {}).get("phase") == "Running")


def _when(usages: Iterable[Usage]) -> Object:
    """The moment and window of the usage that is known least recently."""
    earliest = min(usages, key=lambda usage: usage.time)
    moment = datetime.fromtimestamp(earliest.time, UTC)
    return {"timestamp": timestamp(moment), "window": durations.text(round(earliest.window, 3))}


def _amounts(usage: Usage) -> Object:
    return {"cpu": quantity.canonical(f"{usage.nanocores}n"), "memory": _bytes(usage.memory)}


def _bytes(amount: int) -> str:
    """In Ki where it is whole ones, as the memory of containers is."""
    return f"{amount // 1024}Ki" if amount % 1024 == 0 else str(amount)
