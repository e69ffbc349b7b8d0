"""Tells readers that something happened in a directory, with one inotify instance: machines allow few."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asyncinotify import Inotify, Mask, Watch

from kubeling.objects.tasks import Tasks

_MASK = Mask.MODIFY | Mask.CLOSE_WRITE | Mask.CREATE | Mask.MOVED_TO


class Changes:
    """What one reader has been told since it last looked."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()
        self.closed: set[str] = set()
        """Names of files that a writer has closed."""
        self.renamed: list[str] = []
        """Names that files were given, the first first."""

    def tell(self, name: str, *, closed: bool = False, renamed: bool = False) -> None:
        if closed:
            self.closed.add(name)
        if renamed:
            self.renamed.append(name)
        self._happened.set()

    async def wait(self, timeout: float) -> bool:
        """Whether something has happened since the last call; waits up to `timeout` seconds for it."""
        try:
            await asyncio.wait_for(self._happened.wait(), timeout)
        except TimeoutError:
            return False
        self._happened.clear()
        return True


class DirectoryWatcher:
    """Make it in a running loop; `close` it at the end."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        self._tasks = Tasks("log-watcher")
        self._readers: dict[Path, list[Changes]] = {}
        self._watches: dict[Path, Watch] = {}

    @contextmanager
    def watching(self, directory: Path) -> Iterator[Changes]:
        """Changes in the directory from now on. Raises OSError when it cannot be watched."""
        changes = Changes()
        self._add(directory, changes)
        try:
            yield changes
        finally:
            self._remove(directory, changes)

    async def close(self) -> None:
        await self._tasks.stop()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _add(self, directory: Path, changes: Changes) -> None:
        inotify = self._inotify
        if inotify is None:
            inotify = self._inotify = Inotify()
            self._tasks.start(self._read(inotify), name="inotify")
        if directory not in self._watches:
            self._watches[directory] = inotify.add_watch(directory, _MASK)
        self._readers.setdefault(directory, []).append(changes)

    def _remove(self, directory: Path, changes: Changes) -> None:
        readers = self._readers.get(directory, [])
        readers.remove(changes)
        if readers or self._inotify is None:
            return
        del self._readers[directory]
        watch = self._watches.pop(directory)
        try:
            self._inotify.rm_watch(watch)
        except OSError:
            return  # the directory has gone, and the kernel's watch with it

    async def _read(self, inotify: Inotify) -> None:
        async for event in inotify:
            directory = event.watch.path if event.watch is not None else None
            closed, renamed = bool(event.mask & Mask.CLOSE_WRITE), bool(event.mask & Mask.MOVED_TO)
            for changes in self._readers.get(directory, []) if directory else self._everyone():
                changes.tell(str(event.name or ""), closed=closed, renamed=renamed)

    def _everyone(self) -> list[Changes]:
        """The kernel's queue overflowed, or a watch has gone: all should look."""
        return [changes for readers in self._readers.values() for changes in readers]
