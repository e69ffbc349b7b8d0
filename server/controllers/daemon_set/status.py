"""What a DaemonSet's status says. Pure."""

from collections.abc import Mapping

from kubeling.objects import meta
from kubeling.objects.meta import Object

_FIELDS = {
    "desiredNumberScheduled": "desired",
    "currentNumberScheduled": "current",
    "numberMisscheduled": "misscheduled",
    "numberReady": "ready",
}
_OMITTED_AT_ZERO = {"updatedNumberScheduled": "updated", "numberAvailable": "available"}


def status_of(set_: Object, totals: Mapping[str, int], *, collisions: int, observed: bool) -> Object:
    """With what else stands in it. `observed`: the present generation has been acted on."""
    status: Object = {**(set_.get("status") or {})}
    status |= {name: totals.get(count, 0) for name, count in _FIELDS.items()}
    counts = {name: totals.get(count, 0) for name, count in _OMITTED_AT_ZERO.items()}
    counts["numberUnavailable"] = totals.get("desired", 0) - totals.get("available", 0)
    for name, count in counts.items():
        status.pop(name, None)
        if count:
            status[name] = count
    if observed:
        status["observedGeneration"] = int(meta.metadata(set_).get("generation") or 0)
    if collisions:
        status["collisionCount"] = collisions
    return status
