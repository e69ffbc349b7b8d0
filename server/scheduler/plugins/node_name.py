"""A pod that names its node runs there or nowhere."""

from server.scheduler.framework import Candidate, ClusterEvent, Rejection
from server.scheduler.node_state import NodeState


class NodeName:
    events = frozenset({ClusterEvent.NODE_ADDED})

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        wanted = candidate.spec.get("nodeName")
        if not wanted or wanted == node.name:
            return None
        return Rejection(("node(s) didn't match the requested node name",))
