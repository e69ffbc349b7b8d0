"""Which changes of a node could let a pod fit that did not fit before. Heartbeats are none."""

from collections.abc import Iterator

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.framework import ClusterEvent


def node_events(node: Object, old: Object | None) -> Iterator[ClusterEvent]:
    if old is None:
        yield ClusterEvent.NODE_ADDED
        return
    if _allocatable(node) != _allocatable(old):
        yield ClusterEvent.NODE_ALLOCATABLE
    if meta.labels(node) != meta.labels(old):
        yield ClusterEvent.NODE_LABELS
    if _taints(node) != _taints(old):
        yield ClusterEvent.NODE_TAINTS


def _allocatable(node: Object) -> object:
    return (node.get("status") or {}).get("allocatable")


def _taints(node: Object) -> object:
    spec = node.get("spec") or {}
    return spec.get("taints") or [], bool(spec.get("unschedulable"))
