"""nodeSelector and nodeAffinity: what a pod requires and what it prefers of its node's labels and name."""

from collections.abc import Mapping, Sequence
from typing import Any

from kubeling.objects.node_selection import Matches, preferences, required, term_names
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import (
    Action,
    ClusterEvent,
    Filtering,
    NodeFilter,
    OnlyNodes,
    Plugin,
    Rejection,
    Resources,
    Scoring,
    Wake,
    default_normalize,
)
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "NodeAffinity"
_OTHER = Rejection(NAME, ("node(s) didn't match Pod's node affinity/selector",))
_ENFORCED = Rejection(NAME, ("node(s) didn't match scheduler-enforced node affinity",))
_NOWHERE = Rejection(NAME, ("pod affinity terms conflict",))


class NodeAffinity(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter", "preScore", "score"})
    local = True

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._added = {"nodeAffinity": args["addedAffinity"]} if args.get("addedAffinity") else {}
        self._enforced = required({"affinity": self._added}) if self._added else None

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted = required(pod.spec)
        if wanted is None and self._enforced is None:
            return None
        check = self._check(wanted)
        names = term_names(pod.spec)
        if names is None:
            return check
        return OnlyNodes(names, check) if names else _NOWHERE

    def _check(self, wanted: Matches | None) -> NodeFilter:
        enforced = self._enforced

        def matches(node: NodeState) -> Rejection | None:
            if enforced is not None and not enforced(node.labels, node.name):
                return _ENFORCED
            return None if wanted is None or wanted(node.labels, node.name) else _OTHER

        return matches

    def pre_score(self, pod: PodInfo, cluster: ClusterState) -> Scoring | None:
        preferred = [*preferences({"affinity": self._added}), *preferences(pod.spec)]
        if not preferred:
            return None

        def liked(node: NodeState) -> int:
            return sum(weight for weight, matches in preferred if matches(node.labels, node.name))

        return Scoring(liked, default_normalize)

    def wakes(self) -> Sequence[Wake]:
        return (Wake(Resources.NODE, Action.ADD | Action.LABELS, self._matches_now),)

    def _matches_now(self, pod: PodInfo, event: ClusterEvent) -> bool:
        check = self._check(required(pod.spec))
        state = NodeState(event.object["metadata"]["name"])
        state.set_node(event.object)
        return check(state) is None
