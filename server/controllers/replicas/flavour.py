"""Wherein ReplicaSets and ReplicationControllers differ."""

from collections.abc import Callable
from dataclasses import dataclass

from kubeling.client.resources import REPLICA_SETS, REPLICATION_CONTROLLERS, Resource
from kubeling.objects.labels import NOTHING, Predicate, from_label_selector, from_map
from kubeling.objects.meta import Object


def _by_selector(owner: Object) -> Predicate:
    return from_label_selector((owner.get("spec") or {}).get("selector")).predicate()


def _by_map(owner: Object) -> Predicate:
    """No labels at all select nothing: otherwise an empty map would take every pod."""
    labels = (owner.get("spec") or {}).get("selector")
    return (from_map(labels) if labels else NOTHING).predicate()


@dataclass(frozen=True, slots=True)
class Flavour:
    resource: Resource
    component: str
    """As which events are recorded."""
    selects: Callable[[Object], Predicate]
    """What an owner's selector says of labels."""
    counts_terminating: bool
    """Whether the status has `terminatingReplicas`."""

    def refers(self, reference: Object) -> bool:
        """Whether an owner reference is to one of this kind, of whatever version."""
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        return reference.get("kind") == self.resource.kind and group == self.resource.group


REPLICA_SET = Flavour(REPLICA_SETS, "replicaset-controller", _by_selector, counts_terminating=True)
REPLICATION_CONTROLLER = Flavour(
    REPLICATION_CONTROLLERS, "replication-controller", _by_map, counts_terminating=False
)
