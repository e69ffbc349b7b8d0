"""Imports the archives that lie in a folder, for nodes without a registry: in the background, one at a time.

What is there at the start is imported unless it was before, is unchanged, and its images are still there;
what comes or changes later when its writer closes it, or it is moved in. Nothing waits for it.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from cri_api.v1 import api_pb2 as cri

from runtime.errors import NodeError

logger = logging.getLogger(__name__)

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.zstd", ".tar.bz2", ".tar.xz")

_Stamp = tuple[int, int]
"""Size and time (nanoseconds) of a file's last change: while they stay the file is taken for the same."""


class Images(Protocol):
    """Imports archives, and knows what there is."""

    async def load(self, archive: Path, *, scratch: Path | None = None) -> list[str]: ...

    async def image_status(self, image: str) -> cri.Image | None: ...


class Events(Protocol):
    """About the node."""

    def normal(self, reason: str, message: str) -> None: ...

    def warning(self, reason: str, message: str) -> None: ...


class ImageFolder:
    def __init__(self, folder: Path, images: Images, events: Events, *, memory: Path, scratch: Path) -> None:
        """`memory` is the file that says what was imported; archives are unpacked in `scratch`."""
        self._folder = folder
        self._images = images
        self._memory = memory
        self._scratch = scratch
        self._events = events

    async def run(self) -> None:
        """For ever. The folder is made if there is none."""
        try:
            await self._follow()
        except OSError as error:
            logger.warning("the folder %s cannot be followed: %s", self._folder, error)

    async def _follow(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        async with _changes(self._folder) as changed:
            for name in sorted(file.name for file in self._folder.iterdir()):
                await self.take(name)
            async for name in changed:
                await self.take(name)

    async def take(self, name: str) -> None:
        """Import the file of that name, if it is an archive and has not been imported as it is."""
        file = self._folder / name
        if not name.endswith(SUFFIXES) or name.startswith("."):
            return
        try:
            stamp = _stamp(file)
            if await self._is_there(name, stamp):
                return
            logger.info("importing images from %s", file)
            names = await self._images.load(file, scratch=self._scratch)
            self._remember(name, stamp, names)
        except FileNotFoundError:
            return
        except (NodeError, OSError, TimeoutError) as error:
            logger.warning("images cannot be imported from %s: %s", file, error)
            self._events.warning("FailedToImportImages", f"Failed to import images from {name}: {error}")
        else:
            self._events.normal("ImportedImages", f"Imported from {name}: {', '.join(names)}")

    async def _is_there(self, name: str, stamp: _Stamp) -> bool:
        known = self._known().get(name) or {}
        if tuple(known.get("stamp") or ()) != stamp:
            return False
        return all(
            [await self._images.image_status(image) is not None for image in known.get("images") or ()]
        )

    def _known(self) -> dict[str, dict[str, Any]]:
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self._memory.read_bytes())
            if isinstance(known, dict):
                return known
        return {}

    def _remember(self, name: str, stamp: _Stamp, images: Sequence[str]) -> None:
        known = {file: entry for file, entry in self._known().items() if (self._folder / file).exists()}
        known[name] = {"stamp": stamp, "images": list(images)}
        draft = self._memory.with_suffix(".new")
        draft.write_text(json.dumps(known))
        draft.replace(self._memory)


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


@contextlib.asynccontextmanager
async def _changes(folder: Path) -> AsyncIterator[AsyncIterator[str]]:
    """Names of files in the folder that were closed by a writer, or moved in."""
    from asyncinotify import Inotify, Mask

    with Inotify() as inotify:
        inotify.add_watch(folder, Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.ONLYDIR)

        async def names() -> AsyncIterator[str]:
            async for event in inotify:
                if event.name is not None:
                    yield str(event.name)

        yield names()
