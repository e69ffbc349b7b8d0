"""What a ReplicaSet or ReplicationController says of itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kubeling.objects import conditions, meta
from kubeling.objects.labels import from_map
from kubeling.objects.meta import Object
from server.controllers.replicas.standing import Standing

REPLICA_FAILURE = "ReplicaFailure"
_OPTIONAL = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


@dataclass(slots=True)
class Counts:
    replicas: int = 0
    labelled: int = 0
    """With all labels of the template, not only what the selector asks for."""
    ready: int = 0
    available: int = 0
    next_available: float | None = None
    """Seconds until another one of those that are ready will be available."""


def count(pods: Sequence[Standing], owner: Object, now: datetime) -> Counts:
    spec = owner.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    is_labelled = from_map(labels).predicate()
    least = float(spec.get("minReadySeconds") or 0)
    counts = Counts(len(pods))
    for pod in pods:
        counts.labelled += is_labelled(pod.labels)
        if pod.ready:
            counts.ready += 1
            wait = _seconds_to_available(pod, least, now)
            counts.available += wait == 0
            if wait:
                counts.next_available = min(wait, counts.next_available or wait)
    return counts


def _seconds_to_available(pod: Standing, least: float, now: datetime) -> float | None:
    """None if it is not known since when it is ready."""
    if least <= 0:
        return 0
    if not pod.ready_since:
        return None
    return max(least - (now - meta.parse_timestamp(pod.ready_since)).total_seconds(), 0)


def status_of(
    owner: Object, counts: Counts, *, terminating: int | None, failure: Exception | None, now: datetime
) -> Object:
    """The owner's new status; conditions that others have set stay."""
    status: Object = {"replicas": counts.replicas}
    numbers = (counts.labelled, counts.ready, counts.available)
    status |= {name: number for name, number in zip(_OPTIONAL, numbers, strict=True) if number}
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    status["observedGeneration"] = meta.metadata(owner).get("generation", 0)
    if found := _conditions(owner, counts.replicas, failure, now):
        status["conditions"] = found
    return status


def _conditions(owner: Object, replicas: int, failure: Exception | None, now: datetime) -> list[Object]:
    found: Sequence[Object] = (owner.get("status") or {}).get("conditions") or ()
    if failure is None:
        return _without(found, REPLICA_FAILURE)
    if conditions.find(owner, REPLICA_FAILURE) is not None:
        return list(found)
    wanted = int((owner.get("spec") or {}).get("replicas") or 0)
    condition: Object = {"type": REPLICA_FAILURE, "status": "True", "lastTransitionTime": meta.timestamp(now)}
    if replicas < wanted:
        condition |= {"reason": "FailedCreate", "message": str(failure)}
    elif replicas > wanted:
        condition |= {"reason": "FailedDelete", "message": f"unable to delete pods: {failure}"}
    return [*found, condition]


def _without(found: Iterable[Object], kind: str) -> list[Object]:
    return [each for each in found if each.get("type") != kind]
