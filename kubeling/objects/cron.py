"""Cron schedules as CronJobs have them: five fields or a descriptor, in a time zone, and what time is next.

Read as the library behind upstream's controller (robfig/cron) reads them: `?` is `*`, `N/2` is `N-max/2`, a
day matches both its fields where one of them is `*`, else either. A time that the clocks jump over does not
come, one that they repeat comes twice. Errors are in that library's words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kubeling.objects import durations

YEARS = 5
"""How far a schedule is followed: one that has no time by then has none."""

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_NUMBER = re.compile(r"[-+]?\d+")


class CronError(ValueError):
    """The text is no schedule; the message says why."""


class Schedule(Protocol):
    def next(self, after: datetime) -> datetime | None:
        """The first time later than `after`, in UTC; None when there is none for YEARS."""
        ...


def parse_schedule(text: str, zone: str | None = None) -> Schedule:
    """In the zone that stands in the text (`TZ=...`), else in `zone`, else in UTC.

    Raises:
        CronError: the text is malformed, or the zone unknown.
    """
    if not text:
        raise CronError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        zone, text = prefix.partition("=")[2], text.strip()
    if text.startswith(_EVERY):
        return _Every(_interval(text))
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise CronError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    parts = text.split()
    if len(parts) != len(_FIELDS):
        listed = f"[{' '.join(parts)}]"
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(parts)}: {listed}")
    minutes, hours, days, months, weekdays = (
        _values(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    return _Fields(minutes, hours, days, months, weekdays, find_zone(zone) if zone else UTC)


def find_zone(name: str) -> tzinfo:
    """Raises: CronError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CronError(f"unknown time zone {name}") from error


class _Values(NamedTuple):
    """What a field allows; `star` is whether it is `*`, which matters to the two that are about days."""

    allowed: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class _Every:
    """`@every`: so many whole seconds later, at least one."""

    interval: timedelta

    def next(self, after: datetime) -> datetime:
        return after.replace(microsecond=0) + self.interval


@dataclass(frozen=True, slots=True)
class _Fields:
    minutes: _Values
    hours: _Values
    days: _Values
    months: _Values
    weekdays: _Values
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        """Goes from the instant after `after` to the next month, day, hour and minute that may be."""
        instant = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        last = instant.year + YEARS
        while instant.year <= last:
            local = instant.astimezone(self.zone)
            later = self._later(local)
            if later is None:
                return instant
            instant = later if isinstance(later, datetime) else instant + later
        return None

    def _later(self, local: datetime) -> datetime | timedelta | None:
        """Where to look next when this minute is not allowed, None when it is."""
        if local.month not in self.months.allowed:
            first = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=self.zone)
            return first.astimezone(UTC)
        if not self._allows_day(local):
            following = local.date() + timedelta(days=1)
            day = datetime(following.year, following.month, following.day, tzinfo=self.zone)
            return day.astimezone(UTC)
        if local.hour not in self.hours.allowed:
            return timedelta(minutes=60 - local.minute)
        if local.minute not in self.minutes.allowed:
            later = (minute for minute in self.minutes.allowed if minute > local.minute)
            return timedelta(minutes=min(later, default=60) - local.minute)
        return None

    def _allows_day(self, local: datetime) -> bool:
        day = local.day in self.days.allowed
        weekday = local.isoweekday() % 7 in self.weekdays.allowed
        if self.days.star or self.weekdays.star:
            return day and weekday
        return day or weekday


class _Field(NamedTuple):
    low: int
    high: int
    names: Mapping[str, int]


def _named(names: Sequence[str], first: int) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(names, first)}


_FIELDS = (
    _Field(0, 59, {}),
    _Field(0, 23, {}),
    _Field(1, 31, {}),
    _Field(1, 12, _named(_MONTHS, 1)),
    _Field(0, 6, _named(_DAYS, 0)),
)


def _values(text: str, field: _Field) -> _Values:
    parts = [_part(part, field) for part in text.split(",") if part]
    allowed = frozenset(number for numbers, _ in parts for number in numbers)
    return _Values(allowed, any(star for _, star in parts))


def _part(part: str, field: _Field) -> tuple[range, bool]:
    """`*`, a number, a range, each perhaps with a step: `1-5/2`. With a step above one `*` is no star."""
    span, *steps = part.split("/")
    bounds = span.split("-")
    star = bounds[0] in ("*", "?")
    if star:
        first, last = field.low, field.high
    else:
        first = _number(bounds[0], field)
        if len(bounds) > 2:
            raise CronError(f"too many hyphens: {part}")
        last = _number(bounds[1], field) if len(bounds) == 2 else first
    if len(steps) > 1:
        raise CronError(f"too many slashes: {part}")
    step = _whole(steps[0]) if steps else 1
    if steps and len(bounds) == 1 and not star:
        last = field.high
    _check_range(part, field, first=first, last=last, step=step)
    return range(first, last + 1, step), star and step == 1


def _check_range(part: str, field: _Field, *, first: int, last: int, step: int) -> None:
    if first < field.low:
        raise CronError(f"beginning of range ({first}) below minimum ({field.low}): {part}")
    if last > field.high:
        raise CronError(f"end of range ({last}) above maximum ({field.high}): {part}")
    if first > last:
        raise CronError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {part}")


def _number(text: str, field: _Field) -> int:
    found = field.names.get(text.lower())
    return _whole(text) if found is None else found


def _whole(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise CronError(f"negative number ({number}) not allowed: {text}")
    return number


def _interval(text: str) -> timedelta:
    try:
        seconds = durations.parse(text.removeprefix(_EVERY))
    except ValueError as error:
        raise CronError(f"failed to parse duration {text}: {error}") from error
    return timedelta(seconds=max(1, int(seconds)))
