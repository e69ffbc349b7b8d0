"""The sizes of directories that may be large: measured in a thread, seldom, and kept meanwhile."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from runtime.stats.disk import Size, disk_usage

AGE = 60.0
"""Seconds for which a size is kept."""
PATIENCE = 2.0
"""Seconds for which somebody who asks waits; then they get what was known before."""
REST = 20
"""So many times as long as measuring a directory took it is left alone: one core is used by a twentieth."""
_FORGOTTEN = 600.0


class _Measured(NamedTuple):
    at: float
    took: float
    size: Size


class Sizes:
    """One thread at a time measures."""

    def __init__(self, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._tasks = Tasks("sizes")
        self._measured: dict[Path, _Measured] = {}
        self._measuring: asyncio.Task[None] | None = None

    async def of(self, directories: Iterable[Path], *, age: float = AGE) -> dict[Path, Size]:
        """Those that are known; sizes are up to `age` seconds old, or older when measuring takes its time."""
        wanted = list(directories)
        if self._measuring is not None:
            await asyncio.wait([self._measuring], timeout=self._patience)
        now = self._clock.monotonic()
        stale = [each for each in wanted if each not in self._measured or self._is_stale(each, now, age)]
        if stale and self._measuring is None:
            self._measuring = self._tasks.start(self._measure(stale), name="measure")
            await asyncio.wait([self._measuring], timeout=self._patience)
        return {each: self._measured[each].size for each in wanted if each in self._measured}

    async def stop(self) -> None:
        await self._tasks.stop()

    def _is_stale(self, directory: Path, now: float, age: float) -> bool:
        measured = self._measured[directory]
        return now - measured.at >= max(age, REST * measured.took)

    async def _measure(self, directories: list[Path]) -> None:
        try:
            for each in directories:
                began = self._clock.monotonic()
                size = await asyncio.to_thread(disk_usage, each)
                now = self._clock.monotonic()
                self._measured[each] = _Measured(now, now - began, size)
        finally:
            self._measuring = None
            before = self._clock.monotonic() - _FORGOTTEN
            self._measured = {path: each for path, each in self._measured.items() if each.at >= before}
