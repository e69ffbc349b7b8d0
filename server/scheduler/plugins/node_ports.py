"""A host port goes to one pod of the node only."""

from server.scheduler.framework import Candidate, ClusterEvent, Rejection
from server.scheduler.node_state import NodeState


class NodePorts:
    events = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE})

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        wanted = candidate.demand.ports
        if not wanted or not any(port.conflicts(used) for used in node.host_ports for port in wanted):
            return None
        return Rejection(("node(s) didn't have free ports for the requested pod ports",), resolvable=True)
