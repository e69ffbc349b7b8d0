"""A node takes no more volumes of a driver than its CSINode says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import class_of
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import Action, Filtering, Plugin, Rejection, Resources, Wake
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_claims import uses_claim
from server.scheduler.pod_info import PodInfo

NAME = "NodeVolumeLimits"
_FULL = Rejection(NAME, ("node(s) exceed max volume count",), resolvable=True)

Volume = tuple[str, str]
"""The driver, and the volume's handle."""


class NodeVolumeLimits(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._handles = handles

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        wanted = frozenset(self._volumes_of(pod))
        if not wanted:
            return None

        def has_room(node: NodeState) -> Rejection | None:
            limits = self._limits(node.name)
            if not any(driver in limits for driver, _ in wanted):
                return None
            attached = set(self._attached(node.name)).union(*map(self._volumes_of, node.pods.values()))
            for driver in {driver for driver, _ in wanted - attached}:
                if sum(each[0] == driver for each in attached | wanted) > limits.get(driver, float("inf")):
                    return _FULL
            return None

        return has_room

    def _limits(self, node: str) -> Mapping[str, int]:
        found = self._handles.csi_nodes.get("", node)
        return {
            driver["name"]: int(driver["allocatable"]["count"])
            for driver in ((found or {}).get("spec") or {}).get("drivers") or ()
            if (driver.get("allocatable") or {}).get("count") is not None
        }

    def _volumes_of(self, pod: SomePod) -> Iterator[Volume]:
        for name, _ in pod.claims:
            claim = self._handles.claims.get(pod.namespace, name)
            if claim is None:
                continue
            volume = self._handles.volumes.get("", claim["spec"].get("volumeName") or "")
            if volume is not None:
                yield from _driven(volume)
            else:
                yield from self._to_be_made(claim)

    def _to_be_made(self, claim: Object) -> Iterator[Volume]:
        """A claim that is not bound yet counts as the volume which its class would make."""
        storage_class = self._handles.classes.get("", class_of(claim))
        if storage_class is not None and not claim["spec"].get("volumeName"):
            yield storage_class["provisioner"], f"{meta.namespace(claim)}/{meta.name(claim)}"

    def _attached(self, node: str) -> Iterator[Volume]:
        for attachment in self._handles.attachments.list():
            spec = attachment.get("spec") or {}
            source = (spec.get("source") or {}).get("persistentVolumeName")
            if spec.get("nodeName") == node and source:
                volume = self._handles.volumes.get("", source)
                if volume is not None:
                    yield from _driven(volume)

    def wakes(self) -> Sequence[Wake]:
        return (
            Wake(Resources.CSI_NODE, Action.ADD | Action.UPDATE),
            Wake(Resources.ASSIGNED_POD, Action.DELETE, lambda pod, event: _has_claims(event.object)),
            Wake(Resources.CLAIM, Action.ADD, lambda pod, event: uses_claim(pod, event.object)),
            Wake(Resources.ATTACHMENT, Action.DELETE),
        )


def _has_claims(pod: Object) -> bool:
    return bool(PodInfo(pod).claims)


def _driven(volume: Object) -> Iterator[Volume]:
    if csi := volume["spec"].get("csi"):
        yield csi["driver"], csi["volumeHandle"]
