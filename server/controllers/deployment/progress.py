"""Whether a rollout goes on, is done, or has taken too long: the condition Progressing; and ReplicaFailure.

A rollout that does not change for progressDeadlineSeconds has failed to progress; its Deployment is looked
at again when that will be so.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from kubeling.objects import conditions as object_conditions
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.deployment.conditions import (
    PROGRESSING,
    REPLICA_FAILURE,
    condition,
    find,
    put,
    reason,
    remove,
)
from server.controllers.deployment.status import has_progressed, is_complete

CREATED, FOUND, CREATION_FAILED = "NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetCreateError"
UPDATED, COMPLETE, TIMED_OUT = "ReplicaSetUpdated", "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
_NO_DEADLINE = 2**31 - 1
_SOON = 1.0


def has_deadline(deployment: Object) -> bool:
    return deployment["spec"].get("progressDeadlineSeconds") not in (None, _NO_DEADLINE)


def note_pause(deployment: Object, status: Object, now: datetime) -> None:
    """Time that a Deployment is paused does not count; a lack of progress that was told stays told."""
    known = reason(status, PROGRESSING)
    if not has_deadline(deployment) or known == TIMED_OUT:
        return
    paused = bool(deployment["spec"].get("paused"))
    if paused and known != PAUSED:
        put(status, condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now=now))
    elif not paused and known == PAUSED:
        put(status, condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now=now))


def estimate(
    deployment: Object, status: Object, before: Object, new: Object | None, *, now: datetime
) -> None:
    """Set Progressing in `status`, which has fresh counts; `before` has those that were known till now."""
    if not has_deadline(deployment):
        remove(status, PROGRESSING)
        return
    known = find(status, PROGRESSING)
    settled = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if settled and reason(status, PROGRESSING) == COMPLETE:
        return
    what = f'ReplicaSet "{meta.name(new)}"' if new else f'Deployment "{meta.name(deployment)}"'
    if is_complete(deployment, status):
        why = f"{what} has successfully progressed."
        put(status, condition(PROGRESSING, "True", COMPLETE, why, now=now))
    elif has_progressed(status, before):
        told = condition(PROGRESSING, "True", UPDATED, f"{what} is progressing.", now=now)
        if known is not None and known.get("status") == "True":
            told["lastTransitionTime"] = known.get("lastTransitionTime")
        remove(status, PROGRESSING)  # so that lastUpdateTime tells of every progress
        put(status, told)
    elif _has_timed_out(deployment, status, now):
        why = f"{what} has timed out progressing."
        put(status, condition(PROGRESSING, "False", TIMED_OUT, why, now=now))


def _has_timed_out(deployment: Object, status: Object, now: datetime) -> bool:
    known = reason(status, PROGRESSING)
    if known in ("", COMPLETE, TIMED_OUT):
        return known == TIMED_OUT
    return _deadline(deployment, status) < now


def _deadline(deployment: Object, status: Object) -> datetime:
    known = find(status, PROGRESSING)
    assert known is not None
    return meta.parse_timestamp(known["lastUpdateTime"]) + timedelta(
        seconds=deployment["spec"]["progressDeadlineSeconds"]
    )


def seconds_to_deadline(deployment: Object, status: Object, now: datetime) -> float | None:
    """Until the lack of progress is to be told; None where there is nothing to wait for."""
    if not has_deadline(deployment) or reason(status, PROGRESSING) in ("", TIMED_OUT):
        return None
    if is_complete(deployment, status):
        return None
    return max((_deadline(deployment, status) - now).total_seconds(), 0) + _SOON


def tell_failure(status: Object, new: Object | None, replica_sets: Iterable[Object]) -> None:
    """A ReplicaSet's failure to make or delete pods is the Deployment's as well, the new one's first."""
    for each in (new, *replica_sets):
        if each and (failure := object_conditions.find(each, REPLICA_FAILURE)) is not None:
            put(status, {**failure, "lastUpdateTime": failure.get("lastTransitionTime")})
            return
    remove(status, REPLICA_FAILURE)
