"""A pod that names its node runs there or nowhere."""

from collections.abc import Sequence

from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import (
    Action,
    ClusterEvent,
    Filtering,
    Plugin,
    Rejection,
    Resources,
    Wake,
)
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "NodeName"
_OTHER = Rejection(NAME, ("node(s) didn't match the requested node name",))


class NodeName(Plugin):
    name = NAME
    points = frozenset({"filter"})
    local = True

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted = pod.spec.get("nodeName")
        if not wanted:
            return None

        def matches(node: NodeState) -> Rejection | None:
            return None if node.name == wanted else _OTHER

        return matches

    def wakes(self) -> Sequence[Wake]:
        return (Wake(Resources.NODE, Action.ADD, _is_wanted),)


def _is_wanted(pod: PodInfo, event: ClusterEvent) -> bool:
    return bool(event.object.get("metadata", {}).get("name") == pod.spec.get("nodeName"))
