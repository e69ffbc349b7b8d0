"""What of a log is shown, and how: since, stream, timestamps, byte limit. No I/O.

Follows the kubelet: a timestamp stands only before the first piece of a line, the limit may cut a line.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.node.logs.record import fixed_width, nanoseconds, parse

_WHOLE = frozenset({b"stdout F ", b"stderr F "})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """`since` is in nanoseconds since the epoch; `stream` is b"stdout", b"stderr" or None for both."""

    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: int | None = None
    limit: int | None = None
    stream: bytes | None = None


class LogOutput:
    """Turns raw lines into what the reader sees; keeps count of the bytes."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._all = not options.timestamps and options.since is None and options.stream is None
        self._left = options.limit
        self._at_line_start = True

    @property
    def full(self) -> bool:
        """Whether the byte limit has been reached."""
        return self._left is not None and self._left <= 0

    def show(self, lines: Iterable[bytes]) -> bytes:
        """The part of these raw lines (without their newlines) that is to be shown."""
        shown = self._plain(lines) if self._all else b"".join(map(self._one, lines))
        if self._left is not None:
            shown = shown[: max(self._left, 0)]
            self._left -= len(shown)
        return shown

    def _plain(self, lines: Iterable[bytes]) -> bytes:
        """All of it. Nearly every line is whole and of one form: what is not goes the long way."""
        texts = []
        for line in lines:
            at = line.find(b" ") + 1
            if line[at : at + 9] in _WHOLE:
                texts.append(line[at + 9 :])
                texts.append(b"\n")
            else:
                texts.append(self._one(line))
        return b"".join(texts)

    def _one(self, line: bytes) -> bytes:
        record = parse(line)
        if record is None or not self._wanted(record.time, record.stream):
            return b""
        prefix = b""
        if self._options.timestamps and self._at_line_start:
            prefix = fixed_width(record.time) + b" "
        self._at_line_start = not record.partial
        return prefix + record.text

    def _wanted(self, time: bytes, stream: bytes) -> bool:
        if self._options.stream is not None and stream != self._options.stream:
            return False
        if self._options.since is None:
            return True
        try:
            return nanoseconds(time) >= self._options.since
        except ValueError:
            return False
