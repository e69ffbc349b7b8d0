"""activeDeadlineSeconds: a pod that has been active for longer fails."""

from kubeling.objects.meta import parse_timestamp
from runtime.pods.status.pod import Verdict
from runtime.pods.work import PodWork

MESSAGE = "Pod was active on the node longer than the specified deadline"


def check_deadline(work: PodWork) -> None:
    """Pass the verdict when the time is over; wake the worker when it will be."""
    limit, started = work.spec.get("activeDeadlineSeconds"), work.writer.latest.get("startTime")
    if limit is None or not started or work.verdict is not None:
        return
    left = limit - (work.context.clock.monotonic() - _active_since(work, started))
    if left > 0:
        work.context.alarms.set_earlier((work.identity.uid, "deadline"), left)
        return
    work.verdict = Verdict("DeadlineExceeded", MESSAGE)
    work.events.normal("DeadlineExceeded", MESSAGE)


def _active_since(work: PodWork, started: str) -> float:
    """A moment of the monotonic clock: the wall clock is asked once, for it may be set while the pod runs."""
    if work.active_since is None:
        age = (work.context.clock.now() - parse_timestamp(started)).total_seconds()
        work.active_since = work.context.clock.monotonic() - max(age, 0.0)
    return work.active_since
