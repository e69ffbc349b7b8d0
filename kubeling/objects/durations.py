"""Durations as Go writes them (`1h30m`, `100ms`), in seconds."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)")


def parse(text: str) -> float:
    """Seconds.

    Raises:
        ValueError: it is no duration; the text is Go's.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f'time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def text(seconds: float) -> str:
    """As Go prints it: `0s`, `100ms`, `10s`, `5m0s`, `4h0m0s`."""
    if 0 < abs(seconds) < 1:
        return f"{seconds * 1000:g}ms"
    sign, left = "-" if seconds < 0 else "", abs(seconds)
    minutes, rest = divmod(left, 60)
    hours, minutes = divmod(int(minutes), 60)
    shown = f"{round(rest, 9):g}s"
    if hours or minutes:
        shown = f"{minutes}m{shown}"
    return f"{sign}{hours}h{shown}" if hours else sign + shown
