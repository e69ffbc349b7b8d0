"""A log file that is kept small: when it is full it becomes `.1`, what was `.1` becomes `.2`, and so on."""

import contextlib
import os
from pathlib import Path

LIMIT = 10 * 1024 * 1024
KEPT = 3


class LogFile:
    def __init__(self, path: Path, *, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._path = path
        self._limit = limit
        self._kept = kept
        self._open()

    def write(self, data: bytes) -> None:
        """Appends; a record is split over two files only if it comes in two parts."""
        with contextlib.suppress(OSError):  # a full disk must not end the cluster's supervision
            if self._file.closed:
                self._open()
            if self._size and self._size + len(data) > self._limit:
                self._rotate()
            self._file.write(data)
            self._size += len(data)

    def close(self) -> None:
        self._file.close()

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = open(descriptor, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        self._size = os.fstat(descriptor).st_size

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
        self._open()


def size(path: Path) -> int:
    """How long a log is; 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def tail(path: Path, lines: int, *, since: int = 0) -> list[str]:
    """The last lines of a log, oldest first, from an offset on; none if there is no log."""
    try:
        with path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            file.seek(max(since if since <= end else 0, end - lines * 500))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []
