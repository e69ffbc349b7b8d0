"""A Deployment's conditions, which tell of two times: when the status changed, and when anything did."""

from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object

PROGRESSING, AVAILABLE, REPLICA_FAILURE = "Progressing", "Available", "ReplicaFailure"


def find(status: Object, kind: str) -> Object | None:
    found: list[Object] = status.get("conditions") or []
    return next((each for each in found if each.get("type") == kind), None)


def reason(status: Object, kind: str) -> str:
    return str((find(status, kind) or {}).get("reason") or "")


def put(status: Object, condition: Object) -> None:
    """Unless it says no more than the one that is there: one with the same status and reason stays."""
    current = find(status, condition["type"])
    if current is not None and current.get("status") == condition["status"]:
        if current.get("reason") == condition.get("reason"):
            return
        condition = {**condition, "lastTransitionTime": current.get("lastTransitionTime")}
    remove(status, condition["type"])
    status["conditions"] = [*(status.get("conditions") or ()), condition]


def remove(status: Object, kind: str) -> None:
    kept = [each for each in status.get("conditions") or () if each.get("type") != kind]
    if kept:
        status["conditions"] = kept
    else:
        status.pop("conditions", None)


def condition(kind: str, status: str, reason: str, message: str, *, now: datetime) -> Object:
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": meta.timestamp(now),
        "lastTransitionTime": meta.timestamp(now),
        "reason": reason,
        "message": message,
    }
