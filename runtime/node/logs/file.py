"""An open log file: whole raw lines out of it as far as they are written, and whether it was rotated away."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.node.logs.tail import tail_offset

_PIECE = 256 * 1024


class LogFile:
    """Close it, or use it as a context manager."""

    def __init__(self, path: Path, *, tail: int | None = None) -> None:
        """Raises OSError."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._rest = b""
        try:
            if tail is not None:
                os.lseek(self._descriptor, tail_offset(self._descriptor, tail), os.SEEK_SET)
        except BaseException:
            self.close()
            raise

    def lines(self) -> list[bytes] | None:
        """The next whole lines, perhaps none yet; None at the end of what has been written."""
        piece = os.read(self._descriptor, _PIECE)
        if not piece:
            return None
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return lines

    def last_line(self) -> list[bytes]:
        """What stands at the end without a newline: no more will come."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def rotated(self) -> bool:
        """Whether another file has taken the name."""
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False  # renamed, and the new one is not there yet
        own = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
