"""One line of a CRI log file: `<RFC 3339 time> <stdout|stderr> <tags> <text>`. Pure functions.

The runtime splits long output lines: all pieces but the last carry the tag P, the last F, and only after
an F did the container write a newline.
"""

from datetime import UTC, datetime
from typing import NamedTuple


class Record(NamedTuple):
    """`text` is exactly what the container wrote, with the newline where it wrote one."""

    time: bytes
    stream: bytes
    text: bytes

    @property
    def partial(self) -> bool:
        return not self.text.endswith(b"\n")


def parse(line: bytes) -> Record | None:
    """A line without its newline; None for what is no log line (an unclean shutdown can leave such)."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    text = parts[3] if len(parts) == 4 else b""
    if not _is_partial(parts[2]):
        text += b"\n"
    return Record(parts[0], parts[1], text)


def is_partial(line: bytes) -> bool:
    """Whether a raw line is a piece of a longer one, and not the last."""
    parts = line.split(b" ", 3)
    return len(parts) > 2 and _is_partial(parts[2])


def _is_partial(tags: bytes) -> bool:
    return tags.split(b":", 1)[0] == b"P"


def fixed_width(time: bytes) -> bytes:
    """The time with nine fractional digits, as logs are shown: the runtime leaves zeros out."""
    body, zone = _split_zone(time)
    seconds, _, fraction = body.partition(b".")
    return seconds + b"." + fraction.ljust(9, b"0")[:9] + zone


def nanoseconds(time: bytes) -> int:
    """Nanoseconds since the epoch.

    Raises:
        ValueError: this is no RFC 3339 time.
    """
    body, zone = _split_zone(time)
    seconds, _, fraction = body.partition(b".")
    if fraction and not fraction.isdigit():
        raise ValueError(f"not a time: {time!r}")
    offset = "+00:00" if zone in (b"Z", b"z") else zone.decode("ascii")
    moment = datetime.fromisoformat(seconds.decode("ascii") + offset).astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, b"0")[:9])


def _split_zone(time: bytes) -> tuple[bytes, bytes]:
    if time[-1:] in (b"Z", b"z"):
        return time[:-1], time[-1:]
    return time[:-6], time[-6:]
