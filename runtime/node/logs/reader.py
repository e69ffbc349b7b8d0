"""Reads a container's log, and goes on as it grows until the container has ended.

read to the end ──▶ renamed away? ──yes──▶ go on with the new file, after those in between
      ▲                 │ no
      │                 ▼
      │        closed by its writer, or first time here? ──▶ container ended? ──yes──▶ the rest, done
      └──── wait for the directory to change ◀──────────────────── no
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from runtime.node.logs.file import CompressedLog, LogFile
from runtime.node.logs.output import LogOptions, LogOutput
from runtime.node.logs.rotation import COMPRESSED
from runtime.node.logs.watcher import Changes, DirectoryWatcher

_CLOSED_DELAYS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between looks at a container whose log was closed: its end, or it only closed its output."""
_SAFETY_DELAY = 10.0
"""Seconds after which a container is looked at although nothing happened."""


async def read_log(path: Path, options: LogOptions) -> AsyncGenerator[bytes]:
    """The log as it is now, in pieces. Raises OSError when it cannot be opened."""
    output = LogOutput(options)
    with LogFile(path, tail=options.tail) as log:
        async for piece in _rest(log, output):
            yield piece
        if last := output.show(log.last_line()):
            yield last


async def follow_log(
    path: Path, options: LogOptions, watcher: DirectoryWatcher, running: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes]:
    """The log as it is and as it grows, until `running` says no. Raises OSError when it cannot be opened."""
    with watcher.watching(path.parent) as changes:
        follower = _Follower(path, options, changes, running)
        try:
            async for piece in follower.pieces():
                yield piece
        finally:
            follower.close()


class _Follower:
    def __init__(
        self, path: Path, options: LogOptions, changes: Changes, running: Callable[[], Awaitable[bool]]
    ) -> None:
        self._path = path
        self._output = LogOutput(options)
        self._changes = changes
        self._running = running
        self._log = LogFile(path, tail=options.tail)
        self._older: list[LogFile] = []
        """Rotated away, not read to the end: the runtime writes to the newest of them for a moment more."""
        self._changes.renamed.clear()
        self._looks = 0

    def close(self) -> None:
        self._log.close()
        self._forget_older()

    async def pieces(self) -> AsyncGenerator[bytes]:
        must_look = True
        while not self._output.full:
            ended = must_look and not await self._running()
            async for piece in self._available():
                yield piece
            if ended:
                if last := self._output.show(self._log.last_line()):
                    yield last
                return
            must_look = False
            if not self._output.full and not self._switch():
                must_look = await self._wait()

    async def _available(self) -> AsyncGenerator[bytes]:
        for log in (*self._older, self._log):
            async for piece in _rest(log, self._output):
                yield piece

    def _switch(self) -> bool:
        """Go on with the file that has taken the name, if one has."""
        if not self._log.rotated():
            return False
        new = LogFile(self._path)
        self._forget_older()
        self._older = [self._log, *self._missed()]
        self._log = new
        return True

    def _missed(self) -> list[LogFile]:
        """Logs that were begun and rotated away while the reader of this one was slow."""
        names = [each for each in self._changes.renamed if self._is_rotated(each)]
        self._changes.renamed.clear()
        opened = [_open_rotated(self._path.with_name(each)) for each in names]
        own = next((at for at, log in enumerate(opened) if log and log.same(self._log)), 0)
        for log in filter(None, opened[: own + 1]):
            log.close()
        return [log for log in opened[own + 1 :] if log]

    def _is_rotated(self, name: str) -> bool:
        return name.startswith(f"{self._path.name}.") and not name.endswith(COMPRESSED)

    async def _wait(self) -> bool:
        """Wait for a change; returns whether to look if the container has ended."""
        closed = self._path.name in self._changes.closed
        delay = _CLOSED_DELAYS[min(self._looks, len(_CLOSED_DELAYS) - 1)] if closed else _SAFETY_DELAY
        self._looks = self._looks + 1 if closed else 0
        told = await self._changes.wait(delay)
        return not told or self._path.name in self._changes.closed

    def _forget_older(self) -> None:
        for log in self._older:
            log.close()
        self._older = []


def _open_rotated(path: Path) -> LogFile | None:
    """Compressed or not; None when it has been removed."""
    try:
        return LogFile(path)
    except OSError:
        pass
    try:
        return CompressedLog(path.with_name(path.name + COMPRESSED))
    except OSError:
        return None


async def _rest(log: LogFile, output: LogOutput) -> AsyncGenerator[bytes]:
    """What has been written and not read yet."""
    while not output.full and (lines := log.lines()) is not None:
        if shown := output.show(lines):
            yield shown
