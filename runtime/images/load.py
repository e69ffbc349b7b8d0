"""Imports image archives into containerd and waits until CRI knows the images.

Responsible for `kubeling image load` on the node and for the pause image. Not responsible for pulling.
"""

import asyncio
import contextlib
import logging
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import grpc.aio
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.tasks import Tasks
from runtime.cri.channel import open_channel
from runtime.cri.containerd_events import NAMESPACE, SUBSCRIBED, subscribe
from runtime.cri.machine import find_binary
from runtime.errors import ImageArchiveError
from runtime.images.archive import ArchivedImage, read_archive
from runtime.images.compression import unpacked
from runtime.images.pause import PAUSE_IMAGE, pause_archive

logger = logging.getLogger(__name__)

VISIBLE_TIMEOUT = 20.0  # seconds until CRI knows an image that containerd has
_TOPICS = ("/images/create", "/images/update")
_RECHECK = 0.02  # seconds: CRI stores an image right after the last event that it causes


class ImageReader(Protocol):
    """The part of the runtime that shows what CRI knows."""

    async def image_status(self, image: str) -> cri.Image | None: ...


class ImageLoader:
    """Imports into the containerd behind `endpoint`; `reader` is the CRI client of the same containerd."""

    def __init__(
        self,
        endpoint: str,
        reader: ImageReader,
        *,
        snapshotter: str = "overlayfs",
        clock: Clock | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._reader = reader
        self._snapshotter = snapshotter
        self._clock = clock or SystemClock()

    async def ensure_pause_image(self) -> bool:
        """Import the pause image when CRI does not know it; returns whether that was needed."""
        if await self._reader.image_status(PAUSE_IMAGE) is not None:
            return False
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(await asyncio.to_thread(pause_archive))
            file.flush()
            await self.load(Path(file.name))
        return True

    async def load(self, archive: Path) -> list[str]:
        """Import an archive; returns the full names of its images, which CRI then knows.

        Raises ImageArchiveError for a bad archive, naming what is wrong with it.
        """
        async with AsyncExitStack() as stack:
            plain = await asyncio.to_thread(stack.enter_context, unpacked(archive))
            images = await asyncio.to_thread(read_archive, plain)
            await self._load(plain, images)
        return sorted({image.name for image in images})

    async def _load(self, archive: Path, images: Sequence[ArchivedImage]) -> None:
        changed = asyncio.Event()
        async with Tasks("image-load") as tasks, _open(self._endpoint) as channel:
            subscribed = asyncio.Event()
            tasks.start(self._watch(channel, subscribed, changed), name="events")
            await subscribed.wait()
            await self._import(archive, images)
            await self._wait_visible(images, changed)

    async def _watch(
        self, channel: grpc.aio.Channel, subscribed: asyncio.Event, changed: asyncio.Event
    ) -> None:
        async for event in subscribe(channel, _TOPICS, clock=self._clock):
            (subscribed if event.topic == SUBSCRIBED else changed).set()

    async def _import(self, archive: Path, images: Sequence[ArchivedImage]) -> None:
        said = await self._ctr("images", "import", "--snapshotter", self._snapshotter, str(archive))
        for image in images:
            imported = _imported_name(image.written, said)
            if imported != image.name:  # CRI finds images by their full name only
                await self._ctr("images", "tag", "--force", imported, image.name)
                await self._ctr("images", "remove", imported)

    async def _ctr(self, *arguments: str) -> str:
        address = self._endpoint.removeprefix("unix://")
        process = await asyncio.create_subprocess_exec(
            find_binary("ctr"), "--address", address, "--namespace", NAMESPACE, *arguments,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode != 0:
            reason = errors.decode(errors="replace").strip().removeprefix("ctr: ")
            raise ImageArchiveError(f"containerd could not import the archive: {reason}")
        return output.decode(errors="replace")

    async def _wait_visible(self, images: Sequence[ArchivedImage], changed: asyncio.Event) -> None:
        async with asyncio.timeout(VISIBLE_TIMEOUT):
            while not await self._all_visible(images):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _RECHECK)
                changed.clear()

    async def _all_visible(self, images: Sequence[ArchivedImage]) -> bool:
        for image in images:
            status = await self._reader.image_status(image.name)
            if status is None or status.id not in image.ids:
                return False
        return True


def _imported_name(written: str, said: str) -> str:
    """containerd's name for an image: what the archive gives only a tag gets the day's date before it."""
    if "/" in written or ":" in written:
        return written
    made_up = re.search(rf"\S+:{re.escape(written)}(?=\s)", said)
    return made_up[0] if made_up else written


@contextlib.asynccontextmanager
async def _open(endpoint: str) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(endpoint)
    try:
        yield channel
    finally:
        await channel.close(None)
