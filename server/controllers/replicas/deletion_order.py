"""Which pods go first when there are too many: upstream's ActivePodsWithRanks.

Those without a node, then pending, then not ready, then of lower pod-deletion-cost, then doubled up on their
node, then ready for a shorter time, then restarted more often, then younger. Times are compared by the order
of magnitude of the age, so that pods of about the same age go evenly; the uid decides between these.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from math import log2

from kubeling.objects import meta
from server.controllers.replicas.standing import Place, Standing

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_NEVER = -1

_Age = Callable[[str], int]
_Rank = tuple[bool, int, bool, int, int, int, int, int, int, str]


def first_to_go(
    pods: Mapping[Place, Standing], count: int, *, related: Iterable[Standing], now: datetime
) -> list[Place]:
    """`count` of the pods. `related` are those of the same deployment, which count as doubles on a node."""
    if count >= len(pods):
        return list(pods)
    doubles = Counter(pod.node for pod in related if pod.active)
    age = cache(lambda timestamp: _magnitude(timestamp, now))
    ranks = {place: _rank(pod, doubles[pod.node], age) for place, pod in pods.items()}
    return sorted(pods, key=ranks.__getitem__)[:count]


def _rank(pod: Standing, doubles: int, age: _Age) -> _Rank:
    """Of lower rank goes first."""
    regular, sidecars = pod.restarts
    return (
        bool(pod.node),
        _PHASES.get(pod.phase, 0),
        pod.ready,
        pod.cost,
        -doubles,
        age(pod.ready_since) if pod.ready else _NEVER,
        -regular,
        -sidecars,
        age(pod.created),
        pod.uid,
    )


def _magnitude(timestamp: str, now: datetime) -> int:
    """The binary logarithm of the age in nanoseconds, without fraction."""
    age = (now - meta.parse_timestamp(timestamp)).total_seconds() if timestamp else 0
    return int(log2(age * 1e9)) if age > 0 else _NEVER
