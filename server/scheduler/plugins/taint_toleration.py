"""Taints: NoSchedule and NoExecute keep pods away, PreferNoSchedule only if there is better."""

from collections.abc import Mapping

from server.scheduler.framework import TOP_SCORE, Candidate, ClusterEvent, Rejection
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.toleration import tolerates


class TaintToleration:
    events = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS})
    weight = 3

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        tolerations = candidate.spec.get("tolerations")
        for taint in node.taints:
            if taint.get("effect") in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint):
                return Rejection(("node(s) had untolerated taint(s)",))
        return None

    def score(self, candidate: Candidate, nodes: list[NodeState]) -> Mapping[str, float]:
        tolerations = [
            each
            for each in candidate.spec.get("tolerations") or []
            if each.get("effect") in (None, "", "PreferNoSchedule")
        ]
        counts = {
            node.name: sum(
                taint.get("effect") == "PreferNoSchedule" and not tolerates(tolerations, taint)
                for taint in node.taints
            )
            for node in nodes
        }
        most = max(counts.values(), default=0) or 1
        return {name: TOP_SCORE - TOP_SCORE * count / most for name, count in counts.items()}
