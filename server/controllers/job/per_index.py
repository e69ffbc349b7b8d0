"""backoffLimitPerIndex: each index of a job fails by itself.

A replacement's annotations say how often pods of its index have failed. So the last failed pod of an index
keeps its finalizer, and is there to be read, until its replacement is.
"""

from collections.abc import Sequence
from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.job.backoff import Failures, finish_time
from server.controllers.job.failure_policy import judge
from server.controllers.job.indexes import UNKNOWN, Indexes, index_of
from server.controllers.job.tracked import Tracked, has_finalizer

FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


def failed_indexes(tracked: Tracked) -> Indexes:
    """Those that had failed already, and those whose last pod failed once too often."""
    known = Indexes.parse(tracked.status.get("failedIndexes") or "", tracked.spec["completions"])
    failed = (
        tracked.valid_index(pod) for pod in tracked.pods if has_finalizer(pod) and _fails_index(tracked, pod)
    )
    return known.with_indexes(index for index in failed if index != UNKNOWN)


def last_failures(tracked: Tracked) -> dict[int, Object]:
    """By index, the failed pod that its replacement has to be told of."""
    active = {index_of(pod) for pod in tracked.active}
    last: dict[int, Object] = {}
    for pod in tracked.with_finalizer():
        index = tracked.valid_index(pod)
        settled = index in active or index in tracked.succeeded_indexes or index in tracked.failed_indexes
        if settled or not tracked.has_failed(pod):
            continue
        if index not in last or _is_later(pod, last[index]):
            last[index] = pod
    return last


def startable(
    indexes: Sequence[int], last: dict[int, Object], now: datetime
) -> tuple[list[int], float | None]:
    """The indexes whose back-off is over; if there are none, the seconds until the first one's is."""
    waits = {index: _wait(last.get(index), now) for index in indexes}
    ready = [index for index in indexes if waits[index] <= 0]
    return ready, None if ready or not waits else min(waits.values())


def failure_annotations(job: Object, replaced: Object | None) -> dict[str, str]:
    """Of a pod that takes the place of `replaced`, if that failed before."""
    if replaced is None:
        return {FAILURES: "0"}
    counted = judge(job, replaced).counted
    ignored = _number(replaced, IGNORED) + (not counted)
    annotations = {FAILURES: str(_number(replaced, FAILURES) + counted)}
    return annotations | ({IGNORED: str(ignored)} if ignored else {})


def _fails_index(tracked: Tracked, pod: Object) -> bool:
    if not tracked.has_failed(pod):
        return False
    judgement = judge(tracked.job, pod)
    if judgement.action == "FailIndex":
        return True
    limit: int = tracked.spec["backoffLimitPerIndex"]
    return judgement.counted and _number(pod, FAILURES) >= limit


def _is_later(pod: Object, other: Object) -> bool:
    return _all_failures(pod) >= _all_failures(other) and finish_time(pod) >= finish_time(other)


def _wait(failed: Object | None, now: datetime) -> float:
    return Failures(_all_failures(failed) + 1, finish_time(failed)).remaining(now) if failed else 0.0


def _all_failures(pod: Object) -> int:
    return _number(pod, FAILURES) + _number(pod, IGNORED)


def _number(pod: Object, annotation: str) -> int:
    text = meta.annotations(pod).get(annotation, "")
    return int(text) if text.isdecimal() else 0
