"""How long ago something was, as `kubectl get` prints it: `5s`, `3m2s`, `4h`, `2d1h`, `1y30d`.

Ages are all that changes in a row of a Table while the object does not. So cells can be made for ANYTIME:
their ages are then marks, and `Ages` says what to put there at a moment.
"""

import secrets
from datetime import datetime

from kubeling.objects.meta import parse_timestamp

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY

ANYTIME = datetime.max
"""As the present moment: leaves it open. Has no time zone, so that nobody can calculate with it unnoticed."""
MARK = f"@{secrets.token_hex(16)}@"
"""Stands on both sides of the timestamp of an age that is left open; nobody's text can hold it by chance."""


class Ages(dict[bytes, bytes]):
    """From an encoded timestamp to its age at one moment."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._now = now

    def __missing__(self, timestamp: bytes) -> bytes:
        self[timestamp] = found = age(timestamp.decode(), self._now).encode()
        return found


def age(timestamp: str | None, now: datetime) -> str:
    """The time since the timestamp, `<unknown>` when there is none."""
    if not timestamp:
        return "<unknown>"
    if now is ANYTIME:
        return f"{MARK}{timestamp}{MARK}"
    return human_duration((now - parse_timestamp(timestamp)).total_seconds())


def human_duration(seconds: float) -> str:
    """Two digits of precision, the units Kubernetes uses; slightly negative is 0s (clocks differ)."""
    if seconds < -1:
        return "<invalid>"
    whole = max(int(seconds), 0)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _pair(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _pair(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _pair(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _pair(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _pair(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{large_unit}{rest}{small_unit}" if rest else f"{whole // large}{large_unit}"
