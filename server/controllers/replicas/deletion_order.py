"""Which pods go first when there are too many: upstream's ActivePodsWithRanks.

Those without a node, then pending, then not ready, then of lower pod-deletion-cost, then doubled up on their
node, then ready for a shorter time, then restarted more often, then younger. Times are compared by the order
of magnitude of the age, so that pods of about the same age go evenly; the uid decides between these.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from math import log2

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.owned.pods import is_active, node_of, phase

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_NEVER = -1
_INT32 = range(-(2**31), 2**31)

_Age = Callable[[str], int]
_Rank = tuple[bool, int, bool, int, int, int, int, int, int, str]


def first_to_go(
    pods: Sequence[Object], count: int, *, related: Iterable[Object], now: datetime
) -> list[Object]:
    """`count` of the pods. `related` are those of the same deployment, which count as doubles on a node."""
    if count >= len(pods):
        return list(pods)
    doubles = Counter(node_of(pod) for pod in related if is_active(pod))
    age = cache(lambda timestamp: _magnitude(timestamp, now))
    return sorted(pods, key=lambda pod: _rank(pod, doubles[node_of(pod)], age))[:count]


def _rank(pod: Object, doubles: int, age: _Age) -> _Rank:
    """Of lower rank goes first."""
    condition = conditions.find(pod, "Ready") or {}
    ready = condition.get("status") == "True"
    regular, sidecars = _most_restarts(pod)
    return (
        bool(node_of(pod)),
        _PHASES.get(phase(pod), 0),
        ready,
        _cost(pod),
        -doubles,
        age(condition.get("lastTransitionTime") or "") if ready else _NEVER,
        -regular,
        -sidecars,
        age(meta.metadata(pod).get("creationTimestamp") or ""),
        meta.uid(pod),
    )


def _magnitude(timestamp: str, now: datetime) -> int:
    """The binary logarithm of the age in nanoseconds, without fraction."""
    age = (now - meta.parse_timestamp(timestamp)).total_seconds() if timestamp else 0
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
