"""Which pods go first when there are too many: upstream's ActivePodsWithRanks.

Those without a node, then pending, then not ready, then of lower pod-deletion-cost, then doubled up on their
node, then ready for a shorter time, then restarted more often, then younger. Times are compared by the order
of magnitude of the age, so that pods of about the same age go evenly; the uid decides between these.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key
from math import log2
from typing import NamedTuple

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.pods import is_active, is_ready, node_of, phase, ready_since

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_NEVER = -1
_INT32 = range(-(2**31), 2**31)


class _Rank(NamedTuple):
    """`coarse` compares as it is; the rest by rules of their own."""

    coarse: tuple[bool, int, bool, int, int]
    ready: bool
    ready_at: datetime | None
    ready_age: int
    restarts: tuple[int, int]
    created_at: datetime | None
    age: int
    uid: str


def first_to_go(
    pods: Sequence[Object], count: int, *, related: Iterable[Object], now: datetime
) -> list[Object]:
    """`count` of the pods. `related` are those of the same deployment, which count as doubles on a node."""
    if count >= len(pods):
        return list(pods)
    doubles = Counter(node_of(pod) for pod in related if is_active(pod))
    ranked = [(_rank(pod, doubles[node_of(pod)], now), pod) for pod in pods]
    ranked.sort(key=cmp_to_key(_compare_first))
    return [pod for _, pod in ranked[:count]]


def _rank(pod: Object, doubles: int, now: datetime) -> _Rank:
    ready = is_ready(pod)
    ready_at = ready_since(pod)
    created = meta.metadata(pod).get("creationTimestamp")
    created_at = meta.parse_timestamp(created) if created else None
    return _Rank(
        coarse=(bool(node_of(pod)), _PHASES.get(phase(pod), 0), ready, _cost(pod), -doubles),
        ready=ready,
        ready_at=ready_at,
        ready_age=_magnitude(ready_at, now),
        restarts=_most_restarts(pod),
        created_at=created_at,
        age=_magnitude(created_at, now),
        uid=meta.uid(pod),
    )


def _compare(one: _Rank, other: _Rank) -> int:
    if one.coarse != other.coarse:
        return -1 if one.coarse < other.coarse else 1
    if one.ready and other.ready and one.ready_at != other.ready_at:
        return _by_time(one.ready_at, other.ready_at, (one.ready_age, one.uid), (other.ready_age, other.uid))
    if one.restarts != other.restarts:
        return -1 if one.restarts > other.restarts else 1
    if one.created_at != other.created_at:
        return _by_time(one.created_at, other.created_at, (one.age, one.uid), (other.age, other.uid))
    return 0


def _compare_first(one: tuple[_Rank, Object], other: tuple[_Rank, Object]) -> int:
    return _compare(one[0], other[0])


def _by_time(
    one: datetime | None, other: datetime | None, one_age: tuple[int, str], other_age: tuple[int, str]
) -> int:
    if one is None or other is None:
        return -1 if one is None else 1
    return -1 if one_age < other_age else 1


def _magnitude(moment: datetime | None, now: datetime) -> int:
    """The binary logarithm of the age in nanoseconds, without fraction."""
    age = (now - moment).total_seconds() if moment is not None else 0
    return int(log2(age * 1e9)) if age > 0 else _NEVER


def _cost(pod: Object) -> int:
    text = meta.annotations(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if cost in _INT32 else 0


def _most_restarts(pod: Object) -> tuple[int, int]:
    """Of any of its containers, and of any of its sidecars."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    sidecars = {
        each.get("name") for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"
    }
    regular = [each.get("restartCount", 0) for each in status.get("containerStatuses") or ()]
    beside = [
        each.get("restartCount", 0)
        for each in status.get("initContainerStatuses") or ()
        if each.get("name") in sidecars
    ]
    return max(regular, default=0), max(beside, default=0)
