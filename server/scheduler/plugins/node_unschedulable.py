"""A cordoned node takes only pods that tolerate that."""

from collections.abc import Sequence

from kubeling.objects.taints import tolerates
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import Action, ClusterEvent, Filtering, Plugin, Rejection, Resources, Wake
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "NodeUnschedulable"
TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_CORDONED = Rejection(NAME, ("node(s) were unschedulable",))


class NodeUnschedulable(Plugin):
    name = NAME
    points = frozenset({"filter"})
    local = True

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        if tolerates(pod.spec.get("tolerations"), TAINT):
            return None
        return _open

    def wakes(self) -> Sequence[Wake]:
        return (Wake(Resources.NODE, Action.ADD | Action.TAINTS, _is_open),)


def _open(node: NodeState) -> Rejection | None:
    return _CORDONED if node.spec.get("unschedulable") else None


def _is_open(pod: PodInfo, event: ClusterEvent) -> bool:
    return not (event.object.get("spec") or {}).get("unschedulable")
