"""Which finished jobs of a CronJob are more than its history limits keep. Pure functions."""

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

_LIMITS = {"Complete": "successfulJobsHistoryLimit", "Failed": "failedJobsHistoryLimit"}


def finished(job: Object) -> str:
    """Complete or Failed once it is so, else ""."""
    return next((kind for kind in _LIMITS if conditions.is_true(job, kind)), "")


def surplus(cron_job: Object, jobs: list[Object]) -> list[Object]:
    """The oldest of each kind, by the time at which they started."""
    found: list[Object] = []
    for kind, limit in _LIMITS.items():
        kept = cron_job["spec"].get(limit)
        ended = sorted((job for job in jobs if finished(job) == kind), key=_age)
        if kept is not None:
            found += ended[: max(0, len(ended) - kept)]
    return found


def _age(job: Object) -> tuple[bool, str, str]:
    started = (job.get("status") or {}).get("startTime") or ""
    return not started, started, meta.name(job)
