"""Schedules of CronJobs: their form, checked as the library behind upstream's controller reads them."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_DESCRIPTORS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_EVERY = "@every "
_DURATION = re.compile(r"[-+]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|[-+]?0")
_NUMBER = re.compile(r"[-+]?\d+")


class _Field(NamedTuple):
    low: int
    high: int
    names: Mapping[str, int]


_FIELDS = (
    _Field(0, 59, {}),
    _Field(0, 23, {}),
    _Field(1, 31, {}),
    _Field(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


class _Wrong(ValueError):
    pass


def schedule_error(schedule: str) -> str:
    """What is wrong with the five fields or the descriptor, "" when nothing is."""
    try:
        _check(schedule)
    except _Wrong as error:
        return str(error)
    return ""


def _check(schedule: str) -> None:
    if not schedule:
        raise _Wrong("empty spec string")
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        schedule = schedule.partition(" ")[2].strip()
    if schedule.startswith("@"):
        _check_descriptor(schedule)
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        listed = f"[{' '.join(fields)}]"
        raise _Wrong(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: {listed}")
    for text, field in zip(fields, _FIELDS, strict=True):
        for part in (each for each in text.split(",") if each):
            _check_part(part, field)


def _check_descriptor(schedule: str) -> None:
    if schedule in _DESCRIPTORS:
        return
    if not schedule.startswith(_EVERY):
        raise _Wrong(f"unrecognized descriptor: {schedule}")
    duration = schedule.removeprefix(_EVERY)
    if not _DURATION.fullmatch(duration):
        raise _Wrong(f'failed to parse duration {schedule}: time: invalid duration "{duration}"')


def _check_part(part: str, field: _Field) -> None:
    """`*`, a number, a range, each perhaps with a step: `1-5/2`."""
    span, *steps = part.split("/")
    bounds = span.split("-")
    if bounds[0] in ("*", "?"):
        first, last = field.low, field.high
    else:
        first = _number(bounds[0], field)
        if len(bounds) > 2:
            raise _Wrong(f"too many hyphens: {part}")
        last = _number(bounds[1], field) if len(bounds) == 2 else first
    if len(steps) > 1:
        raise _Wrong(f"too many slashes: {part}")
    step = _whole(steps[0]) if steps else 1
    if steps and len(bounds) == 1 and bounds[0] not in ("*", "?"):
        last = field.high
    if first < field.low:
        raise _Wrong(f"beginning of range ({first}) below minimum ({field.low}): {part}")
    if last > field.high:
        raise _Wrong(f"end of range ({last}) above maximum ({field.high}): {part}")
    if first > last:
        raise _Wrong(f"beginning of range ({first}) beyond end of range ({last}): {part}")
    if step == 0:
        raise _Wrong(f"step of range should be a positive number: {part}")


def _number(text: str, field: _Field) -> int:
    found = field.names.get(text.lower())
    return _whole(text) if found is None else found


def _whole(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _Wrong(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise _Wrong(f"negative number ({number}) not allowed: {text}")
    return number
