"""Reads a folder of manifests (or one file), and again whenever something in it changes.

Names that begin with a dot are passed over. A manifest that makes no sense is logged, the others count.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, timestamp, uid
from runtime.static.manifest import SEEN, ManifestError, static_pod

logger = logging.getLogger(__name__)

LOOK_AGAIN = 20.0
"""Seconds after which a folder that is not there is looked for again."""
GATHER = 0.1
"""Seconds after a change in which others follow: they are read together."""


class ManifestFolder:
    def __init__(self, path: Path, node: str, clock: Clock) -> None:
        self._path = path
        self.node = node
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._errors: dict[Path, str] = {}

    async def read(self) -> dict[str, Object]:
        """The pods by uid, as the files say it now."""
        return await asyncio.to_thread(self._read)

    async def follow(self, changed: Callable[[dict[str, Object]], None]) -> None:
        """Read it again after each change, for ever."""
        while True:
            try:
                await self._follow(changed)
            except OSError as error:
                logger.debug("manifests in %s cannot be followed: %s", self._path, error)
            await self._clock.sleep(LOOK_AGAIN)
            changed(await self.read())

    async def _follow(self, changed: Callable[[dict[str, Object]], None]) -> None:
        """Until the folder goes away."""
        from asyncinotify import Inotify, Mask

        content = Mask.CREATE | Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE
        folder = self._path if self._path.is_dir() else self._path.parent
        with Inotify() as inotify:
            inotify.add_watch(folder, content | Mask.DELETE_SELF | Mask.MOVE_SELF)
            changed(await self.read())
            async for event in inotify:
                if event.mask & (Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.IGNORED):
                    return
                await self._clock.sleep(GATHER)
                changed(await self.read())

    def _read(self) -> dict[str, Object]:
        found: dict[str, Object] = {}
        for file in self._files():
            for pod in self._pods(file):
                found[uid(pod)] = pod
        return found

    def _files(self) -> list[Path]:
        if self._path.is_file():
            return [self._path]
        try:
            entries = sorted(self._path.iterdir())
        except OSError:
            return []
        return [each for each in entries if each.is_file() and not each.name.startswith(".")]

    def _pods(self, file: Path) -> Iterator[Object]:
        try:
            for document in _documents(file):
                yield self._pod(document, file)
            self._errors.pop(file, None)
        except (ManifestError, OSError, ValueError) as error:
            if self._errors.get(file) != str(error):
                logger.error("the static pod manifest %s cannot be used: %s", file, error)
            self._errors[file] = str(error)

    def _pod(self, document: Any, file: Path) -> Object:
        pod = static_pod(document, file=str(file), node=self.node)
        now = timestamp(self._clock.now())
        pod["metadata"]["annotations"][SEEN] = self._seen.setdefault(uid(pod), now)
        return pod


def _documents(file: Path) -> list[Any]:
    """Raises: OSError, ValueError."""
    import yaml

    try:
        return [each for each in yaml.safe_load_all(file.read_bytes()) if each is not None]
    except yaml.YAMLError as error:
        raise ValueError(f"it is neither YAML nor JSON: {error}") from error
