"""Taints: NoSchedule and NoExecute keep pods away, PreferNoSchedule only if there is better."""

from collections.abc import Sequence
from functools import partial

from kubeling.objects.taints import tolerates, untolerated
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import (
    Action,
    ClusterEvent,
    Filtering,
    Plugin,
    Rejection,
    Resources,
    Scoring,
    Wake,
    default_normalize,
)
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "TaintToleration"
_TAINTED = Rejection(NAME, ("node(s) had untolerated taint(s)",))


class TaintToleration(Plugin):
    name = NAME
    points = frozenset({"filter", "preScore", "score"})
    local = True

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        tolerations = pod.spec.get("tolerations")

        def tolerable(node: NodeState) -> Rejection | None:
            return _TAINTED if node.taints and untolerated(tolerations, node.taints) else None

        return tolerable

    def pre_score(self, pod: PodInfo, cluster: ClusterState) -> Scoring | None:
        if not cluster.soft_taints:
            return None
        tolerations = [
            each
            for each in pod.spec.get("tolerations") or ()
            if each.get("effect") in (None, "", "PreferNoSchedule")
        ]

        def disliked(node: NodeState) -> int:
            return sum(
                taint.get("effect") == "PreferNoSchedule" and not tolerates(tolerations, taint)
                for taint in node.taints
            )

        return Scoring(disliked, partial(default_normalize, reverse=True))

    def wakes(self) -> Sequence[Wake]:
        return (Wake(Resources.NODE, Action.ADD | Action.TAINTS, _tolerated),)


def _tolerated(pod: PodInfo, event: ClusterEvent) -> bool:
    taints = (event.object.get("spec") or {}).get("taints") or []
    return untolerated(pod.spec.get("tolerations"), taints) is None
