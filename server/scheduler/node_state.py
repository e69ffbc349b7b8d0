"""A node as the scheduler sees it: the object, what it offers, and what its pods take of it."""

from collections.abc import Mapping
from typing import Self

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.demand import Amounts, Demand, HostPort, amounts
from server.scheduler.placed_pod import SomePod


class NodeState:
    """Kept current by adding and removing pods. `node` is None while only its pods are known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        """Its place in the cluster's order."""
        self.node: Object | None = None
        self.labels: Mapping[str, str] = {}
        self.spec: Object = {}
        self.taints: list[Object] = []
        self.images: dict[str, int] = {}
        """The size of each image that is there, by each of its names."""
        self.allocatable: Amounts = {}
        self.requested: Amounts = {}
        self.scored: Amounts = {}
        self.pods: dict[str, SomePod] = {}
        self.ports: dict[HostPort, int] = {}

    def set_node(self, node: Object | None) -> None:
        self.node = node
        status = (node or {}).get("status") or {}
        self.allocatable = amounts(status.get("allocatable"))
        self.labels = meta.labels(node or {})
        self.spec = (node or {}).get("spec") or {}
        self.taints = self.spec.get("taints") or []
        self.images = {
            name: int(image.get("sizeBytes") or 0)
            for image in status.get("images") or ()
            for name in image.get("names") or ()
        }

    def add_pod(self, pod: SomePod) -> None:
        self.remove_pod(pod.key)
        self.pods[pod.key] = pod
        self._count(pod.demand, 1)

    def remove_pod(self, key: str) -> SomePod | None:
        pod = self.pods.pop(key, None)
        if pod is not None:
            self._count(pod.demand, -1)
        return pod

    def clone(self) -> Self:
        """For suppositions: adding and removing pods leaves the original alone."""
        twin = type(self)(self.name)
        twin.__dict__.update(self.__dict__)
        for name in ("requested", "scored", "pods", "ports"):
            setattr(twin, name, dict(getattr(self, name)))
        return twin

    def _count(self, demand: Demand, sign: int) -> None:
        requested, scored = self.requested, self.scored
        for name, amount in demand.requests.items():
            requested[name] = requested.get(name, 0) + sign * amount
        for name, amount in demand.scored.items():
            scored[name] = scored.get(name, 0) + sign * amount
        for port in demand.ports:
            self.ports[port] = self.ports.get(port, 0) + sign
            if not self.ports[port]:
                del self.ports[port]
