"""Whether a job is to end, and how: the condition that announces it, before all its pods have ended.

Failure by a pod's exit goes before the back-off limit, that before the deadline, that before failed indexes,
and that before the success policy.
"""

from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.job import conditions
from server.controllers.job.failure_policy import judge
from server.controllers.job.success_policy import matched_rule
from server.controllers.job.tracked import Tracked, is_indexed, is_suspended, limits_each_index


def verdict(tracked: Tracked, now: datetime) -> Object | None:
    """SuccessCriteriaMet or FailureTarget, or Failed where FailureTarget is in the status already."""
    job = tracked.job
    if (announced := conditions.find_true(job, conditions.SUCCESS_CRITERIA_MET)) is not None:
        return announced
    if (target := conditions.find_true(job, conditions.FAILURE_TARGET)) is not None:
        return failed_by(target, now)
    for reason, message in (
        ("PodFailurePolicy", _failing_pod(tracked)),
        ("BackoffLimitExceeded", _past_limit(tracked)),
        ("DeadlineExceeded", _past_deadline(tracked, now)),
        _failed_indexes(tracked),
    ):
        if message:
            return conditions.make(conditions.FAILURE_TARGET, reason, message, now=now)
    rule = matched_rule(job, tracked.succeeded_indexes) if is_indexed(job) else None
    if rule is None:
        return None
    message = f"Matched rules at index {rule}"
    return conditions.make(conditions.SUCCESS_CRITERIA_MET, "SuccessPolicy", message, now=now)


def completion(tracked: Tracked, now: datetime) -> Object | None:
    """SuccessCriteriaMet when enough pods have succeeded and none is active."""
    wanted = tracked.completions
    enough = tracked.succeeded > 0 if wanted is None else tracked.succeeded >= wanted
    if not enough or tracked.active_count:
        return None
    message = "Reached expected number of succeeded pods"
    return conditions.make(conditions.SUCCESS_CRITERIA_MET, "CompletionsReached", message, now=now)


def failed_by(target: Object, now: datetime) -> Object:
    """The final condition after FailureTarget."""
    return conditions.make(conditions.FAILED, target["reason"], target["message"], now=now)


def seconds_to_deadline(job: Object, now: datetime) -> float | None:
    """Until activeDeadlineSeconds are over; None without a deadline."""
    deadline, started = job["spec"].get("activeDeadlineSeconds"), job["status"].get("startTime")
    if deadline is None or not started or is_suspended(job):
        return None
    return float(deadline) - (now - meta.parse_timestamp(started)).total_seconds()


def _failing_pod(tracked: Tracked) -> str:
    if "podFailurePolicy" not in tracked.spec:
        return ""
    messages = (judge(tracked.job, pod).message for pod in tracked.pods if tracked.has_failed(pod))
    return next(filter(None, messages), "")


def _past_limit(tracked: Tracked) -> str:
    past = tracked.failed > tracked.spec["backoffLimit"] or _too_many_restarts(tracked)
    return "Job has reached the specified backoff limit" if past else ""


def _too_many_restarts(tracked: Tracked) -> bool:
    """Containers that are started again in their pod count as failures, too."""
    if tracked.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(_restarts(pod) for pod in tracked.pods)
    limit: int = tracked.spec["backoffLimit"]
    return restarts > 0 if limit == 0 else restarts >= limit


def _restarts(pod: Object) -> int:
    status = pod.get("status") or {}
    if status.get("phase") not in ("Running", "Pending"):
        return 0
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(int(each.get("restartCount") or 0) for each in containers)


def _past_deadline(tracked: Tracked, now: datetime) -> str:
    left = seconds_to_deadline(tracked.job, now)
    return "Job was active longer than specified deadline" if left is not None and left <= 0 else ""


def _failed_indexes(tracked: Tracked) -> tuple[str, str]:
    if not limits_each_index(tracked.job):
        return "", ""
    failed, most = len(tracked.failed_indexes), tracked.spec.get("maxFailedIndexes")
    if most is not None and failed > most:
        reason = "MaxFailedIndexesExceeded"
        return reason, "Job has exceeded the specified maximal number of failed indexes"
    if failed and failed + tracked.succeeded >= tracked.spec["completions"]:
        return "FailedIndexes", "Job has failed indexes"
    return "", ""
