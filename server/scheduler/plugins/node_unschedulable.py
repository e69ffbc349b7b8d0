"""A cordoned node takes only pods that tolerate that."""

from server.scheduler.framework import Candidate, ClusterEvent, Rejection
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.toleration import tolerates

TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeUnschedulable:
    events = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS})

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        if not node.spec.get("unschedulable") or tolerates(candidate.spec.get("tolerations"), TAINT):
            return None
        return Rejection(("node(s) were unschedulable",))
