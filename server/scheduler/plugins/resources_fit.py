"""Requests must fit into what the node has left; of the nodes where they do, the emptiest is best."""

from collections.abc import Mapping

from server.scheduler.framework import TOP_SCORE, Candidate, ClusterEvent, Rejection
from server.scheduler.node_state import NodeState

COMPARED = ("cpu", "memory")


class ResourcesFit:
    events = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_ALLOCATABLE, ClusterEvent.POD_GONE})
    weight = 1

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        reasons, resolvable = [], True
        if len(node.pods) + 1 > node.allocatable.get("pods", 0):
            reasons.append("Too many pods")
        for name, amount in candidate.demand.requests.items():
            offered = node.allocatable.get(name, 0)
            if amount > 0 and amount > offered - node.requested.get(name, 0):
                reasons.append(f"Insufficient {name}")
                resolvable = resolvable and amount <= offered
        return Rejection(tuple(reasons), resolvable=resolvable) if reasons else None

    def score(self, candidate: Candidate, nodes: list[NodeState]) -> Mapping[str, float]:
        return {node.name: _free(candidate, node) for node in nodes}


def _free(candidate: Candidate, node: NodeState) -> float:
    """How much would be left, in hundredths, on average over the resources that the node has."""
    scores = []
    for name in COMPARED:
        if offered := node.allocatable.get(name, 0):
            taken = node.scored.get(name, 0) + candidate.demand.scored.get(name, 0)
            scores.append(max(0.0, (offered - taken) * TOP_SCORE / offered))
    return sum(scores) / len(scores) if scores else 0
