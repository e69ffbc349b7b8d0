"""Requests must fit into what the node has left; which of the nodes is best is what the scoring strategy
says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kubeling.objects.meta import Object
from server.scheduler.cluster_state import ClusterState
from server.scheduler.demand import Amounts, amounts, demand
from server.scheduler.framework import (
    TOP_SCORE,
    Action,
    ClusterEvent,
    Filtering,
    Plugin,
    Rejection,
    Resources,
    Scoring,
    Wake,
)
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "NodeResourcesFit"
COMPARED: tuple[tuple[str, int], ...] = (("cpu", 1), ("memory", 1))
_TOO_MANY = Rejection(NAME, ("Too many pods",), resolvable=True)
_TOP_RATIO_SCORE = 10

Share = Callable[[int, int], int]
"""A score from what would be requested and what there is."""


class ResourcesFit(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter", "preScore", "score"})
    local = True

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._ignored = frozenset(args.get("ignoredResources") or ())
        self._ignored_groups = frozenset(args.get("ignoredResourceGroups") or ())
        strategy = args.get("scoringStrategy") or {}
        self._compared = compared(strategy)
        self._share, self._rounded = _strategy(strategy)

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted = self._wanted(pod)

        def fits(node: NodeState) -> Rejection | None:
            offered, taken = node.allocatable, node.requested
            if len(node.pods) >= offered.get("pods", 0):
                return _explained(wanted, node, _TOO_MANY.reasons)
            for name, amount in wanted:
                if amount > offered.get(name, 0) - taken.get(name, 0):
                    return _explained(wanted, node, ())
            return None

        return fits

    def _wanted(self, pod: PodInfo) -> tuple[tuple[str, int], ...]:
        return tuple(
            (name, amount)
            for name, amount in pod.demand.requests.items()
            if amount > 0 and not self._is_ignored(name)
        )

    def _is_ignored(self, name: str) -> bool:
        """Only extended resources may be ignored."""
        return "/" in name and (name in self._ignored or name.split("/")[0] in self._ignored_groups)

    def pre_score(self, pod: PodInfo, cluster: ClusterState) -> Scoring | None:
        wanted = [
            (name, weight, pod.demand.scored.get(name, 0))
            for name, weight in self._compared
            if not is_extended(name) or pod.demand.requests.get(name)
        ]
        share, rounded = self._share, self._rounded

        def score(node: NodeState) -> int:
            total = weights = 0
            offered, taken = node.allocatable, node.scored
            for name, weight, amount in wanted:
                capacity = offered.get(name, 0)
                if capacity:
                    points = share(taken.get(name, 0) + amount, capacity)
                    if points or not rounded:
                        total += points * weight
                        weights += weight
            if not weights:
                return 0
            return int(total / weights + 0.5) if rounded else total // weights

        return Scoring(score)

    def wakes(self) -> Sequence[Wake]:
        return (
            Wake(Resources.ASSIGNED_POD, Action.DELETE, self._frees),
            Wake(Resources.ASSIGNED_POD, Action.SCALE_DOWN, self._frees),
            Wake(Resources.NODE, Action.ADD | Action.ALLOCATABLE, self._could_fit),
        )

    def _frees(self, pod: PodInfo, event: ClusterEvent) -> bool:
        """A pod that goes leaves at least its place among the node's pods."""
        if event.new is None:
            return True
        before, after = demand(event.old or {}).requests, demand(event.new).requests
        return any(before.get(name, 0) > after.get(name, 0) for name, _ in self._wanted(pod))

    def _could_fit(self, pod: PodInfo, event: ClusterEvent) -> bool:
        offered, before = _allocatable(event.new), _allocatable(event.old)
        wanted = (*self._wanted(pod), ("pods", 1))
        if any(amount > offered.get(name, 0) for name, amount in wanted):
            return False
        return event.old is None or any(offered.get(name, 0) > before.get(name, 0) for name, _ in wanted)


def compared(strategy: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """The resources that are compared, with their weights."""
    chosen = strategy.get("resources")
    return tuple((each["name"], int(each.get("weight") or 1)) for each in chosen) if chosen else COMPARED


def is_extended(name: str) -> bool:
    return name not in ("cpu", "memory", "ephemeral-storage", "pods")


def _allocatable(node: Object | None) -> Amounts:
    return amounts(((node or {}).get("status") or {}).get("allocatable"))


def _explained(wanted: Sequence[tuple[str, int]], node: NodeState, reasons: tuple[str, ...]) -> Rejection:
    resolvable = True
    for name, amount in wanted:
        offered = node.allocatable.get(name, 0)
        if amount > offered - node.requested.get(name, 0):
            reasons = (*reasons, f"Insufficient {name}")
            resolvable = resolvable and amount <= offered
    return Rejection(NAME, reasons, resolvable)


def _strategy(strategy: Mapping[str, Any]) -> tuple[Share, bool]:
    """How a resource scores; and whether averages are rounded, over those alone that score at all."""
    kind = strategy.get("type") or "LeastAllocated"
    if kind == "RequestedToCapacityRatio":
        return _ratio((strategy.get("requestedToCapacityRatio") or {}).get("shape") or []), True
    return (_most if kind == "MostAllocated" else _least), False


def _least(requested: int, capacity: int) -> int:
    return (capacity - requested) * TOP_SCORE // capacity if requested <= capacity else 0


def _most(requested: int, capacity: int) -> int:
    return min(requested, capacity) * TOP_SCORE // capacity


def _ratio(shape: Sequence[Mapping[str, int]]) -> Share:
    """A broken line through the points of the shape, whose scores go up to ten."""
    points = [(point["utilization"], point["score"] * TOP_SCORE // _TOP_RATIO_SCORE) for point in shape]

    def line(utilization: int) -> int:
        for number, (x, y) in enumerate(points):
            if utilization <= x:
                if not number:
                    return y
                x0, y0 = points[number - 1]
                return y0 + int((y - y0) * (utilization - x0) / (x - x0))
        return points[-1][1]

    return lambda requested, capacity: line(min(requested, capacity) * 100 // capacity)
