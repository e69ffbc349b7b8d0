"""Whether the indexes that succeeded are enough for a job's successPolicy. Pure functions."""

from kubeling.objects.meta import Object
from server.controllers.job.indexes import Indexes


def matched_rule(job: Object, succeeded: Indexes) -> int | None:
    """The number of the first rule that is met."""
    policy = job["spec"].get("successPolicy") or {}
    if not succeeded:
        return None
    for number, rule in enumerate(policy.get("rules") or ()):
        if _is_met(rule, succeeded, completions=job["spec"]["completions"]):
            return number
    return None


def _is_met(rule: Object, succeeded: Indexes, *, completions: int) -> bool:
    count = rule.get("succeededCount")
    if rule.get("succeededIndexes") is None:
        return count is not None and len(succeeded) >= count
    wanted = Indexes.parse(rule["succeededIndexes"], completions)
    if not wanted:
        return False
    there = _shared(wanted, succeeded)
    return there == len(wanted) or (count is not None and there >= count)


def _shared(one: Indexes, other: Indexes) -> int:
    """How many indexes are in both. The intervals are few: a rule's text is short."""
    left, right = list(one), list(other)
    total = at = 0
    for interval in left:
        while at < len(right) and right[at].last < interval.first:
            at += 1
        position = at
        while position < len(right) and right[position].first <= interval.last:
            total += min(interval.last, right[position].last) - max(interval.first, right[position].first) + 1
            position += 1
    return total
