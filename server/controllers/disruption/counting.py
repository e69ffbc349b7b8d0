"""What a budget's status says, from its pods. Pure: no clock, no client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

DELETION_TIMEOUT = timedelta(minutes=2)
"""An eviction that was allowed shows as a deletion within this time, or is taken not to happen."""
ALLOWED = "DisruptionAllowed"
_COUNTS = ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed")


@dataclass(frozen=True, slots=True)
class Disrupted:
    """Pods that an eviction was allowed for and that are not being deleted yet."""

    since: Mapping[str, str]
    overdue: tuple[Object, ...] = ()
    """Those that should have been deleted by now."""
    recheck: datetime | None = None
    """When the next of the others will be overdue."""


def disrupted(budget: Object, pods: Iterable[Object], now: datetime) -> Disrupted:
    noted: Mapping[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    since: dict[str, str] = {}
    overdue = []
    ends = []
    for pod in pods if noted else ():
        if meta.is_terminating(pod) or meta.name(pod) not in noted:
            continue
        moment = noted[meta.name(pod)]
        end = meta.parse_timestamp(moment) + DELETION_TIMEOUT
        if end < now:
            overdue.append(pod)
        else:
            since[meta.name(pod)] = moment
            ends.append(end)
    return Disrupted(since, tuple(overdue), min(ends, default=None))


def healthy(pods: Iterable[Object], going: Mapping[str, str], now: datetime) -> int:
    """How many are ready, not being deleted and not about to be."""
    return sum(
        not meta.is_terminating(pod)
        and conditions.is_true(pod, "Ready")
        and not _goes(going.get(meta.name(pod)), now)
        for pod in pods
    )


def _goes(since: str | None, now: datetime) -> bool:
    return since is not None and meta.parse_timestamp(since) + DELETION_TIMEOUT > now


def scaled(bound: int | str, total: int) -> int:
    """An IntOrString: a number, or a percentage of the total, rounded up."""
    if isinstance(bound, int):
        return bound
    return -(-total * int(bound.removesuffix("%")) // 100)


def status(
    budget: Object, *, current: int, desired: int, expected: int, going: Mapping[str, str], now: datetime
) -> Object:
    """The status that the budget should have. A budget without pods allows nothing: its first pods may be
    there by now without having been counted."""
    allowed = max(current - desired, 0) if expected > 0 else 0
    counts = zip(_COUNTS, (current, desired, expected, allowed), strict=True)
    generation = budget["metadata"].get("generation", 0)
    fresh: Object = {**dict(counts), "observedGeneration": generation}
    if going:
        fresh["disruptedPods"] = dict(going)
    fresh["conditions"] = [dict(each) for each in (budget.get("status") or {}).get("conditions") or ()]
    reason = "SufficientPods" if allowed else "InsufficientPods"
    return with_condition(fresh, status=str(bool(allowed)), reason=reason, now=now)


def failed(budget: Object, why: str, now: datetime) -> Object:
    """The status of a budget that could not be counted: nothing may be disrupted."""
    old = budget.get("status") or {}
    fresh = {**old, "disruptionsAllowed": 0}
    fresh["conditions"] = [dict(each) for each in old.get("conditions") or ()]
    return with_condition(fresh, status="False", reason="SyncFailed", message=why, now=now)


def with_condition(fresh: Object, *, status: str, reason: str, message: str = "", now: datetime) -> Object:
    """A metav1.Condition: its message is always there, and it tells the generation."""
    conditions.set_condition({"status": fresh}, ALLOWED, status, reason=reason, message=message, now=now)
    condition = conditions.find({"status": fresh}, ALLOWED) or {}
    condition["message"] = message
    if generation := fresh.get("observedGeneration"):
        condition["observedGeneration"] = generation
    return fresh


def is_current(budget: Object, wanted: Object) -> bool:
    """Whether the budget says already what is wanted, save for words of the condition that may stay."""
    old = budget.get("status") or {}
    names = (*_COUNTS, "disruptedPods", "observedGeneration")
    if any((old.get(name) or None) != (wanted.get(name) or None) for name in names):
        return False
    was, becomes = (conditions.find({"status": each}, ALLOWED) for each in (old, wanted))
    return was is not None and becomes is not None and _agree(was, becomes)


def _agree(one: Object, other: Object) -> bool:
    return all(one.get(name) == other.get(name) for name in ("status", "observedGeneration"))
