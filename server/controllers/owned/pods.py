"""What a pod is worth to the controller that owns it. Pure functions, with core/v1's and upstream's rules."""

from datetime import datetime

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

FINISHED = ("Succeeded", "Failed")


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def is_finished(pod: Object) -> bool:
    return phase(pod) in FINISHED


def is_active(pod: Object) -> bool:
    """Neither ended nor about to: upstream's IsPodActive."""
    return not is_finished(pod) and not meta.is_terminating(pod)


def is_ready(pod: Object) -> bool:
    return conditions.is_true(pod, "Ready")


def ready_since(pod: Object) -> datetime | None:
    """When it became ready; None while it is not."""
    condition = conditions.find(pod, "Ready")
    if condition is None or condition.get("status") != "True" or not condition.get("lastTransitionTime"):
        return None
    return meta.parse_timestamp(condition["lastTransitionTime"])


def seconds_to_available(pod: Object, *, min_ready_seconds: float, now: datetime) -> float | None:
    """Until the pod will have been ready for long enough: 0 when it has, None when it is not ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds <= 0:
        return 0.0
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, min_ready_seconds - (now - since).total_seconds())


def is_available(pod: Object, *, min_ready_seconds: float, now: datetime) -> bool:
    return seconds_to_available(pod, min_ready_seconds=min_ready_seconds, now=now) == 0


def restarts(pod: Object) -> int:
    """Of all its containers together."""
    status = pod.get("status") or {}
    return sum(int(each.get("restartCount") or 0) for each in status.get("containerStatuses") or ())
