"""Prefers nodes whose cpu and memory would be used in equal parts."""

from collections.abc import Mapping
from statistics import pstdev

from server.scheduler.framework import TOP_SCORE, Candidate
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.resources_fit import COMPARED


class BalancedAllocation:
    weight = 1

    def score(self, candidate: Candidate, nodes: list[NodeState]) -> Mapping[str, float]:
        return {node.name: _balance(candidate, node) for node in nodes}


def _balance(candidate: Candidate, node: NodeState) -> float:
    shares = []
    for name in COMPARED:
        if offered := node.allocatable.get(name, 0):
            taken = node.requested.get(name, 0) + candidate.demand.requests.get(name, 0)
            shares.append(min(1.0, taken / offered))
    return (1 - pstdev(shares)) * TOP_SCORE if shares else 0
