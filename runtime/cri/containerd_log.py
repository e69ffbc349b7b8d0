"""Keeps containerd's log small. containerd holds the file open and appends: its content moves, not the file.

As `kubeling.cluster.logfile` does with the other logs: what is full becomes `.1`, that `.2`, and so on.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from pathlib import Path

from kubeling.objects.clock import Clock

logger = logging.getLogger(__name__)

LIMIT = 10 * 1024 * 1024
KEPT = 3
LOOK_EVERY = 60.0


class ContainerdLog:
    def __init__(self, path: Path, clock: Clock, *, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._path = path
        self._clock = clock
        self._limit = limit
        self._kept = kept

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        try:
            if os.stat(self._path).st_size > self._limit:
                await asyncio.to_thread(self._rotate)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("cannot rotate %s: %s", self._path, error)

    def _rotate(self) -> None:
        """What containerd writes between the last read and the truncation is lost: microseconds."""
        for number in range(self._kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        descriptor = os.open(f"{self._path}.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with self._path.open("rb") as source, open(descriptor, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.truncate(self._path, 0)
