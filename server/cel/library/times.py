"""Parts of timestamps and durations."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from server.cel.errors import EvaluationError
from server.cel.functions import Library
from server.cel.values import NANOSECONDS, Duration, Timestamp

LIBRARY = Library()
_member = LIBRARY.member


def _in_zone(value: Timestamp, zone: str) -> datetime:
    moment = value.moment()
    try:
        if zone[:1] in ("+", "-") or zone[:1].isdigit():
            sign = -1 if zone[0] == "-" else 1
            hours, minutes = zone.lstrip("+-").split(":")
            return moment.astimezone(timezone(sign * timedelta(hours=int(hours), minutes=int(minutes))))
        return moment.astimezone(ZoneInfo(zone))
    except (ValueError, KeyError, OverflowError, OSError):
        raise EvaluationError(f"unknown time zone {zone}") from None


_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
}


def _declare(name: str, part: Callable[[datetime], int]) -> None:
    _member(name, "timestamp -> int")(lambda value: part(value.moment()))
    _member(name, "timestamp, string -> int")(lambda value, zone: part(_in_zone(value, zone)))


for _name, _part in _PARTS.items():
    _declare(_name, _part)


def _whole(value: Duration, unit: int) -> int:
    return abs(value.nanoseconds) // unit * (1 if value.nanoseconds >= 0 else -1)


def _milliseconds(value: Any, *zone: str) -> int:
    if isinstance(value, Duration):
        return _whole(value, NANOSECONDS // 1000)
    return int(value.nanoseconds % NANOSECONDS // 1_000_000)


_member("getMilliseconds", "timestamp -> int")(_milliseconds)
_member("getMilliseconds", "timestamp, string -> int")(_milliseconds)
_member("getMilliseconds", "duration -> int")(_milliseconds)
_member("getHours", "duration -> int")(lambda value: _whole(value, 3600 * NANOSECONDS))
_member("getMinutes", "duration -> int")(lambda value: _whole(value, 60 * NANOSECONDS))
_member("getSeconds", "duration -> int")(lambda value: _whole(value, NANOSECONDS))
