"""Keeps containers' logs small: a log that is full is renamed, the container goes on in a new file.

    0.log                      what the container writes now
    0.log.20260101-150405      the one before
    0.log.20260101-145200.gz   older ones, compressed; the oldest are removed

Reading them is `reader`'s; that they go with their container is `runtime.pods.node_files`'.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from kubeling.objects.clock import Clock
from runtime.errors import RuntimeServiceError
from runtime.volumes.confined import open_plain

logger = logging.getLogger(__name__)

TIME_FORMAT = "%Y%m%d-%H%M%S"
COMPRESSED, UNFINISHED = ".gz", ".tmp"


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """`size` (bytes) at which a log is rotated, negative for never; `files` of a container in all, `interval`
    (s) of looks.
    """

    size: int
    files: int
    interval: float


class ContainerLog(NamedTuple):
    """The log of a running container."""

    container_id: str
    path: Path


class LogReopener(Protocol):
    """What of `ContainerRuntime` a rotation needs."""

    async def reopen_container_log(self, container_id: str) -> None: ...


class LogRotation:
    def __init__(
        self,
        runtime: LogReopener,
        clock: Clock,
        policy: RotationPolicy,
        logs: Callable[[], Iterable[ContainerLog]],
    ) -> None:
        """`logs` gives those of all running containers, from memory: it is asked at each look."""
        self._runtime = runtime
        self._clock = clock
        self._policy = policy
        self._logs = logs

    async def run(self) -> None:
        """Look for ever, unless no size is too large. A look is one stat per container."""
        while self._policy.size >= 0:
            await self._clock.sleep(self._policy.interval)
            await self.look()

    async def look(self) -> None:
        """Rotate every log that is full."""
        for log in list(self._logs()):
            try:
                size = os.stat(log.path).st_size
            except FileNotFoundError:
                await self._recover(log)
                continue
            except OSError as error:
                logger.warning("cannot look at the log %s: %s", log.path, error)
                continue
            if size >= self._policy.size:
                await self._rotate(log)

    async def _recover(self, log: ContainerLog) -> None:
        """A rotation broke off after the renaming: let the container begin a new file."""
        try:
            await self._runtime.reopen_container_log(log.container_id)
        except RuntimeServiceError as error:
            logger.warning("container %s has no log and cannot begin one: %s", log.container_id, error)

    async def _rotate(self, log: ContainerLog) -> None:
        try:
            await asyncio.to_thread(_tidy, log.path, keep=self._policy.files - 2)
            await self._rename(log)
        except OSError as error:
            logger.warning("cannot rotate the log %s: %s", log.path, error)

    async def _rename(self, log: ContainerLog) -> None:
        """The runtime goes on writing to the renamed file until it is told to open the name again."""
        moment = self._clock.now().astimezone().strftime(TIME_FORMAT)
        rotated = log.path.with_name(f"{log.path.name}.{moment}")
        if any(log.path.parent.glob(f"{rotated.name}*")):
            return  # a second rotation within a second: the next look does it
        log.path.rename(rotated)
        try:
            await self._runtime.reopen_container_log(log.container_id)
        except RuntimeServiceError as error:
            logger.warning("container %s cannot begin a new log: %s", log.container_id, error)
            if not log.path.exists():
                rotated.rename(log.path)


def rotated_logs(path: Path) -> list[Path]:
    """The files that a log has left behind, the oldest first."""
    return sorted(each for each in path.parent.glob(f"{path.name}.*"))


def _tidy(path: Path, *, keep: int) -> None:
    """Remove the oldest and what a compression that broke off left; compress what is not yet."""
    logs = []
    for each in rotated_logs(path):
        if each.suffix == UNFINISHED or each.with_name(each.name + COMPRESSED).exists():
            each.unlink(missing_ok=True)
        else:
            logs.append(each)
    excess = max(len(logs) - max(keep, 0), 0)
    for each in logs[:excess]:
        each.unlink(missing_ok=True)
    for each in logs[excess:]:
        if each.suffix != COMPRESSED:
            _compress(each)


def _compress(path: Path) -> None:
    import gzip
    import shutil

    unfinished = path.with_name(path.name + UNFINISHED)
    with open(open_plain(path), "rb") as source, gzip.open(unfinished, "xb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, 256 * 1024)
    unfinished.rename(path.with_name(path.name + COMPRESSED))
    path.unlink(missing_ok=True)
