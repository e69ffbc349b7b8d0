"""Prefers nodes whose cpu and memory would be used in equal parts."""

from collections.abc import Mapping
from statistics import pstdev
from typing import Any

from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import TOP_SCORE, Plugin, Scoring
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.resources_fit import compared, is_extended
from server.scheduler.pod_info import PodInfo

NAME = "NodeResourcesBalancedAllocation"


class BalancedAllocation(Plugin):
    name = NAME
    points = frozenset({"preScore", "score"})
    local = True

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._compared = [name for name, _ in compared(args)]

    def pre_score(self, pod: PodInfo, cluster: ClusterState) -> Scoring | None:
        """Nothing to say of a pod that requests nothing: many of those would all go to one node."""
        requests = pod.demand.requests
        if not any(requests.get(name) for name in self._compared):
            return None
        wanted = [
            (name, requests.get(name, 0))
            for name in self._compared
            if not is_extended(name) or requests.get(name)
        ]

        def score(node: NodeState) -> int:
            taken = node.requested
            shares = []
            for name, amount in wanted:
                if offered := node.allocatable.get(name, 0):
                    shares.append(min(1.0, (taken.get(name, 0) + amount) / offered))
            return int((1 - _deviation(shares)) * TOP_SCORE)

        return Scoring(score)


def _deviation(shares: list[float]) -> float:
    if len(shares) == 2:
        return abs(shares[0] - shares[1]) / 2
    return pstdev(shares) if len(shares) > 2 else 0.0
