"""Which time of its schedule a CronJob is due for, and when it is due again. Pure functions.

Only the most recent of several missed times counts.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from kubeling.objects import meta
from kubeling.objects.cron import Schedule
from kubeling.objects.meta import Object

MANY = 100
"""Missed times of which a warning is given."""
_DELTA = 0.1
"""Seconds after a time at which it is looked at, so that a timer that is a little early does no harm."""


class InvalidSchedule(ValueError):
    """The schedule is well formed and has no two times."""


class Due(NamedTuple):
    """The most recent time, None when none has come; about how many have come since the last start."""

    time: datetime | None
    missed: int


def most_recent(cron_job: Object, schedule: Schedule, now: datetime) -> Due:
    """Among the times since the last start, or within startingDeadlineSeconds where that is later.

    Raises: InvalidSchedule.
    """
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    earliest = _earliest(cron_job)
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline))
    return _most_recent(earliest, schedule, now)


def seconds_to_next(cron_job: Object, schedule: Schedule, now: datetime) -> float | None:
    """Until there is something to do again; None when there never is."""
    earliest = _earliest(cron_job)
    try:
        recent, missed = _most_recent(earliest, schedule, now)
    except InvalidSchedule:
        recent, missed = now, 0
    following = schedule.next(recent or (now if missed else earliest))
    return None if following is None else (following - now).total_seconds() + _DELTA


def _earliest(cron_job: Object) -> datetime:
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    return meta.parse_timestamp(last or cron_job["metadata"]["creationTimestamp"])


def _most_recent(earliest: datetime, schedule: Schedule, now: datetime) -> Due:
    first = schedule.next(earliest)
    second = schedule.next(first) if first is not None else None
    if first is None or second is None:
        raise InvalidSchedule("time difference between two schedules is less than 1 second")
    if now < first:
        return Due(None, 0)
    if now < second:
        return Due(first, 0)
    interval = int((second - first).total_seconds())
    missed = int((now - first).total_seconds()) // interval + 1
    recent: datetime | None = None
    following = schedule.next(first + timedelta(seconds=(missed - 2) * interval))
    while following is not None and following <= now:
        recent, following = following, schedule.next(following)
    return Due(recent, missed)
