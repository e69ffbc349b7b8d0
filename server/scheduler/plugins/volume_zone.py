"""A bound volume that is labelled with zones or regions is used there only."""

from collections.abc import Mapping, Sequence
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import Action, Filtering, Plugin, Rejection, Resources, Wake
from server.scheduler.handles import Handles
from server.scheduler.node_order import OLD_REGION, OLD_ZONE, REGION, ZONE
from server.scheduler.node_state import NodeState
from server.scheduler.pod_claims import uses_claim
from server.scheduler.pod_info import PodInfo

NAME = "VolumeZone"
_ELSEWHERE = Rejection(NAME, ("node(s) had no available volume zone",))
_NEWER = {OLD_ZONE: ZONE, OLD_REGION: REGION}
_SEPARATOR = "__"


class VolumeZone(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._claims, self._volumes = handles.claims, handles.volumes

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted = [place for volume in self._bound(pod) for place in _places(volume)]
        if not wanted:
            return None

        def reachable(node: NodeState) -> Rejection | None:
            labels = node.labels
            if not any(label in labels for label in (ZONE, REGION, OLD_ZONE, OLD_REGION)):
                return None
            near = all(
                labels.get(label, labels.get(_NEWER.get(label, ""))) in values for label, values in wanted
            )
            return None if near else _ELSEWHERE

        return reachable

    def _bound(self, pod: PodInfo) -> Sequence[Object]:
        claims = [self._claims.get(pod.namespace, name) for name, _ in pod.claims]
        names = [claim["spec"].get("volumeName") for claim in claims if claim is not None]
        volumes = [self._volumes.get("", name) for name in names if name]
        return [volume for volume in volumes if volume is not None]

    def wakes(self) -> Sequence[Wake]:
        new_or_changed = Action.ADD | Action.UPDATE
        return (
            Wake(Resources.STORAGE_CLASS, Action.ADD),
            Wake(Resources.NODE, Action.ADD | Action.LABELS),
            Wake(Resources.CLAIM, new_or_changed, lambda pod, event: uses_claim(pod, event.object)),
            Wake(Resources.VOLUME, new_or_changed),
        )


def _places(volume: Object) -> Sequence[tuple[str, frozenset[str]]]:
    """Which labels a node must have, each with one of its values."""
    return [
        (label, frozenset(value.split(_SEPARATOR)))
        for label, value in meta.labels(volume).items()
        if label in (ZONE, REGION, OLD_ZONE, OLD_REGION)
    ]
