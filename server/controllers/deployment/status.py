"""What a Deployment says of its ReplicaSets' pods."""

from collections.abc import Sequence
from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import max_unavailable, wanted
from server.controllers.deployment.conditions import AVAILABLE, condition, put
from server.controllers.deployment.replica_sets import told, total, total_size


def counted(
    deployment: Object, status: Object, replica_sets: Sequence[Object], new: Object | None, *, now: datetime
) -> Object:
    """The new status: counts, conditions and collisions of `status` kept, and whether it is available."""
    available = total(replica_sets, "availableReplicas")
    counts = {
        "observedGeneration": meta.metadata(deployment).get("generation", 0),
        "replicas": total(replica_sets, "replicas"),
        "updatedReplicas": told(new, "replicas"),
        "readyReplicas": total(replica_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(total_size(replica_sets) - available, 0),
    }
    fresh: Object = {name: count for name, count in counts.items() if count}
    terminating = [(each.get("status") or {}).get("terminatingReplicas") for each in replica_sets]
    if None not in terminating:
        fresh["terminatingReplicas"] = sum(each or 0 for each in terminating)
    for name in ("collisionCount", "conditions"):
        if name in status:
            fresh[name] = status[name]
    put(fresh, _availability(available >= wanted(deployment) - max_unavailable(deployment), now))
    return fresh


def _availability(enough: bool, now: datetime) -> Object:
    if enough:
        why = "Deployment has minimum availability."
        return condition(AVAILABLE, "True", "MinimumReplicasAvailable", why, now=now)
    why = "Deployment does not have minimum availability."
    return condition(AVAILABLE, "False", "MinimumReplicasUnavailable", why, now=now)


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all pods are of the current template, and available."""
    replicas = wanted(deployment)
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status.get(name, 0) == replicas for name in counts) and status.get(
        "observedGeneration", 0
    ) >= meta.metadata(deployment).get("generation", 0)


def has_progressed(status: Object, before: Object) -> bool:
    """Whether there are more new pods, fewer old ones, or more that are ready or available."""
    rising = ("updatedReplicas", "readyReplicas", "availableReplicas")
    if any(status.get(name, 0) > before.get(name, 0) for name in rising):
        return True
    return _old_pods(status) < _old_pods(before)


def _old_pods(status: Object) -> int:
    return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))
