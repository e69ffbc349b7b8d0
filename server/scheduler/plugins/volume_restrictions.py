"""Volumes that cannot be shared: claims for one pod only, and disks that one node, or one pod, may have."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from kubeling.objects.meta import Object
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import (
    Action,
    ClusterEvent,
    CountingFilter,
    Filtering,
    Plugin,
    Rejection,
    Resources,
    Wake,
)
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_claims import uses_claim
from server.scheduler.pod_info import PodInfo

NAME = "VolumeRestrictions"
_NO_DISK = Rejection(NAME, ("node(s) had no available disk",), resolvable=True)
_IN_USE = Rejection(
    NAME,
    ("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",),
    resolvable=True,
)

Disk = tuple[str, str, bool]
"""What kind, which one, and whether it is only read."""


class VolumeRestrictions(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._claims = handles.claims

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted, alone = pod.disks, self._exclusive(pod)
        if not wanted and not alone:
            return None
        users = sum(_uses(other, pod, alone) for other, _ in cluster.pods()) if alone else 0
        return _Filter(pod, wanted, alone, users) if wanted or users else None

    def _exclusive(self, pod: PodInfo) -> frozenset[str]:
        """The pod's claims that are for one pod only."""
        return frozenset(
            name
            for name, _ in pod.claims
            if "ReadWriteOncePod" in _modes(self._claims.get(pod.namespace, name))
        )

    def wakes(self) -> Sequence[Wake]:
        return (
            Wake(Resources.ASSIGNED_POD, Action.DELETE, self._frees),
            Wake(
                Resources.CLAIM, Action.ADD | Action.UPDATE, lambda pod, event: uses_claim(pod, event.object)
            ),
            Wake(Resources.NODE, Action.ADD),
        )

    def _frees(self, pod: PodInfo, event: ClusterEvent) -> bool:
        other = PodInfo(event.object)
        return _uses(other, pod, self._exclusive(pod)) or _conflict(pod.disks, other)


class _Filter(CountingFilter):
    """A claim for one pod only is in use, wherever its other pod runs."""

    def __init__(self, pod: PodInfo, wanted: Sequence[Disk], alone: frozenset[str], users: int) -> None:
        self._pod, self._wanted, self._alone, self._users = pod, wanted, alone, users

    def __call__(self, node: NodeState) -> Rejection | None:
        if self._wanted and any(_conflict(self._wanted, other) for other in node.pods.values()):
            return _NO_DISK
        return _IN_USE if self._users > 0 else None

    def added(self, pod: SomePod, node: NodeState) -> None:
        self._users += _uses(pod, self._pod, self._alone)

    def removed(self, pod: SomePod, node: NodeState) -> None:
        self._users -= _uses(pod, self._pod, self._alone)

    def copy(self) -> Self:
        return type(self)(self._pod, self._wanted, self._alone, self._users)


def _uses(other: SomePod, pod: PodInfo, names: frozenset[str]) -> bool:
    return (
        other.namespace == pod.namespace
        and other.uid != pod.uid
        and any(name in names for name, _ in other.claims)
    )


def _modes(claim: Object | None) -> Sequence[str]:
    return ((claim or {}).get("spec") or {}).get("accessModes") or ()


def _conflict(wanted: Sequence[Disk], other: SomePod) -> bool:
    """Reading the same disk together is no conflict."""
    taken = other.disks
    return any(mine[:2] == theirs[:2] and not (mine[2] and theirs[2]) for mine in wanted for theirs in taken)
