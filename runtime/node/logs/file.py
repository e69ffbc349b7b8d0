"""An open log file: whole raw lines out of it as far as they are written, and whether it was rotated away."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.node.logs.tail import tail_offset
from runtime.volumes.confined import open_plain

_PIECE = 256 * 1024


class LogFile:
    """Close it, or use it as a context manager."""

    def __init__(self, path: Path, *, tail: int | None = None) -> None:
        """Raises OSError: there is none, or a symlink leads to it."""
        self._path = path
        self._descriptor = open_plain(path)
        self._rest = b""
        try:
            if tail is not None:
                os.lseek(self._descriptor, tail_offset(self._descriptor, tail), os.SEEK_SET)
        except BaseException:
            self.close()
            raise

    def lines(self) -> list[bytes] | None:
        """The next whole lines, perhaps none yet; None at the end of what has been written."""
        piece = self._read()
        if not piece:
            return None
        lines = piece.split(b"\n")
        lines[0] = self._rest + lines[0]
        self._rest = lines.pop()
        return lines

    def _read(self) -> bytes:
        return os.read(self._descriptor, _PIECE)

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
        return not self._is(named)

    def same(self, other: "LogFile") -> bool:
        """Whether both are the same file, whatever its names are."""
        return self._is(os.fstat(other._descriptor))

    def _is(self, other: os.stat_result) -> bool:
        own = os.fstat(self._descriptor)
        return (other.st_dev, other.st_ino) == (own.st_dev, own.st_ino)

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


class CompressedLog(LogFile):
    """A log that was rotated away and compressed."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        import gzip

        super().__init__(path)
        self._file = os.fdopen(os.dup(self._descriptor), "rb")
        self._stream = gzip.GzipFile(fileobj=self._file)

    def close(self) -> None:
        super().close()
        self._stream.close()
        self._file.close()

    def _read(self) -> bytes:
        return self._stream.read(_PIECE)
