"""Which active pods of a job go first when there are too many: those that have got least far."""

from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.job.indexes import UNKNOWN
from server.controllers.job.tracked import Tracked, is_indexed
from server.controllers.owned import pods as owned

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def to_remove(tracked: Tracked, at_least: int) -> list[Object]:
    """`at_least` so many, and of an indexed job all that repeat an index or have no valid one."""
    pods = sorted(tracked.active, key=_rank)
    if not is_indexed(tracked.job):
        return pods[:at_least]
    best: dict[int, Object] = {tracked.valid_index(pod): pod for pod in pods}
    best.pop(UNKNOWN, None)
    surplus = [pod for pod in pods if best.get(tracked.valid_index(pod)) is not pod]
    rest = [pod for pod in pods if best.get(tracked.valid_index(pod)) is pod]
    return surplus + rest[: max(0, at_least - len(surplus))]


def _rank(pod: Object) -> tuple[bool, int, bool, float, int, float]:
    """Lowest first: without a node, pending, not ready, ready for a short time, often restarted, young."""
    since = owned.ready_since(pod)
    return (
        bool(owned.node_of(pod)),
        _PHASES.get(owned.phase(pod), 1),
        owned.is_ready(pod),
        -_seconds(since) if since else 0.0,
        -owned.restarts(pod),
        -_seconds(meta.parse_timestamp(pod["metadata"]["creationTimestamp"])),
    )


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
