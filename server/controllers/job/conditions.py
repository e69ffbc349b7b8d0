"""The conditions of a job's status."""

from datetime import datetime

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

COMPLETE, FAILED, SUSPENDED = "Complete", "Failed", "Suspended"
SUCCESS_CRITERIA_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"
"""What the job will be, while its pods are still being ended."""


def make(kind: str, reason: str, message: str, *, now: datetime, status: str = "True") -> Object:
    moment = meta.timestamp(now)
    times = {"lastProbeTime": moment, "lastTransitionTime": moment}
    return {"type": kind, "status": status, **times, "reason": reason, "message": message}


def finished(job: Object) -> str:
    """Complete or Failed once it is so, else ""."""
    return next((kind for kind in (COMPLETE, FAILED) if conditions.is_true(job, kind)), "")


def find_true(job: Object, kind: str) -> Object | None:
    return conditions.find(job, kind) if conditions.is_true(job, kind) else None


def append(job: Object, condition: Object) -> None:
    job["status"].setdefault("conditions", []).append(condition)


def ensure(job: Object, condition: Object) -> bool:
    """Set it, whether anything changed. What never was true is not said to be false."""
    there = conditions.find(job, condition["type"])
    if there is None:
        if condition["status"] == "False":
            return False
        append(job, condition)
        return True
    if all(there.get(name) == condition[name] for name in ("status", "reason", "message")):
        return False
    there.update(condition)
    return True
