"""A host port goes to one pod of the node only."""

from collections.abc import Sequence

from server.scheduler.cluster_state import ClusterState
from server.scheduler.demand import demand
from server.scheduler.framework import Action, ClusterEvent, Filtering, Plugin, Rejection, Resources, Wake
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "NodePorts"
_TAKEN = Rejection(NAME, ("node(s) didn't have free ports for the requested pod ports",), resolvable=True)


class NodePorts(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter"})
    local = True

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted = pod.demand.ports
        if not wanted:
            return None

        def free(node: NodeState) -> Rejection | None:
            taken = any(port.conflicts(used) for used in node.ports for port in wanted)
            return _TAKEN if taken else None

        return free

    def wakes(self) -> Sequence[Wake]:
        return (Wake(Resources.ASSIGNED_POD, Action.DELETE, _frees_ports), Wake(Resources.NODE, Action.ADD))


def _frees_ports(pod: PodInfo, event: ClusterEvent) -> bool:
    freed = demand(event.object).ports
    return any(port.conflicts(other) for port in pod.demand.ports for other in freed)
