"""A node as the scheduler sees it: the object, what it offers, and what its pods take of it."""

from collections.abc import Mapping

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.demand import Amounts, Demand, HostPort, amounts


class NodeState:
    """Kept current by adding and removing pods. `node` is None while only its pods are known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: Object | None = None
        self.allocatable: Amounts = {}
        self.requested: Amounts = {}
        self.scored: Amounts = {}
        self.pods: dict[str, Demand] = {}

    def set_node(self, node: Object | None) -> None:
        self.node = node
        self.allocatable = amounts((node.get("status") or {}).get("allocatable")) if node else {}

    @property
    def spec(self) -> Object:
        return (self.node or {}).get("spec") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        return meta.labels(self.node or {})

    @property
    def taints(self) -> list[Object]:
        return self.spec.get("taints") or []

    @property
    def host_ports(self) -> list[HostPort]:
        return [port for demand in self.pods.values() for port in demand.ports]

    def add_pod(self, key: str, demand: Demand) -> None:
        self.remove_pod(key)
        self.pods[key] = demand
        self._count(demand, 1)

    def remove_pod(self, key: str) -> None:
        demand = self.pods.pop(key, None)
        if demand is not None:
            self._count(demand, -1)

    def _count(self, demand: Demand, sign: int) -> None:
        for total, more in ((self.requested, demand.requests), (self.scored, demand.scored)):
            for name, amount in more.items():
                total[name] = total.get(name, 0) + sign * amount
