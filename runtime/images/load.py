"""Imports image archives into containerd and waits until CRI knows the images.

Responsible for `kubeling image load` on the node and for the pause image. Not responsible for pulling.
"""

import asyncio
import contextlib
import logging
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
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
from runtime.images.archived_images import ArchivedImage, Present, read_images
from runtime.images.compression import unpacked
from runtime.images.layout import layout, manifest_digest
from runtime.images.pause import PAUSE_IMAGE, pause_archive
from runtime.images.reference import normalized

logger = logging.getLogger(__name__)

VISIBLE_TIMEOUT = 20.0  # seconds until CRI knows an image that containerd has
_TOPICS = ("/images/create", "/images/update")
_NAMELESS = "kubeling.local/loaded"
_RECHECK = 0.02  # seconds: CRI stores an image right after the last event that it causes


Named = tuple[str, ArchivedImage]
"""A full name and the image that is to bear it."""


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
        root: Path,
        snapshotter: str = "overlayfs",
        clock: Clock | None = None,
    ) -> None:
        """`root` is containerd's, of which only is read which blobs are there."""
        self._endpoint = endpoint
        self._reader = reader
        self._blobs = root / "io.containerd.content.v1.content" / "blobs"
        self._snapshotter = snapshotter
        self._clock = clock or SystemClock()
        self.loaded: Callable[[], None] = lambda: None
        """Is called when images have come."""

    async def image_status(self, image: str) -> cri.Image | None:
        return await self._reader.image_status(image)

    async def ensure_pause_image(self) -> bool:
        """Import the pause image when CRI does not know it; returns whether that was needed."""
        if await self._reader.image_status(PAUSE_IMAGE) is not None:
            return False
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(await asyncio.to_thread(pause_archive))
            file.flush()
            await self.load(Path(file.name))
        return True

    async def load(self, archive: Path, *, scratch: Path | None = None, name: str = "") -> list[str]:
        """Import an archive; returns the full names of its images, which CRI then knows.

        `name` is for the image of an archive that holds one. Images without a name are known by their digest.
        A compressed archive is unpacked in `scratch`, by default beside it. Nothing is left of what fails.

        Raises:
            ImageArchiveError: the archive is bad; the text names what is wrong with it.
        """
        async with AsyncExitStack() as stack:
            plain = await asyncio.to_thread(stack.enter_context, unpacked(archive, scratch or archive.parent))
            images = await asyncio.to_thread(read_images, plain, self._is_present)
            named = _named(images, name)
            try:
                await self._load(plain, named, self._is_present)
            except _BlobsWent:
                await self._load(plain, named, lambda _: False)
        self.loaded()
        return sorted({name for name, _ in named})

    def _is_present(self, digest: str) -> bool:
        return (self._blobs / digest.replace(":", "/")).exists()

    async def _load(self, archive: Path, images: Sequence[Named], present: Present) -> None:
        changed = asyncio.Event()
        async with Tasks("image-load") as tasks, _open(self._endpoint) as channel:
            subscribed = asyncio.Event()
            tasks.start(self._watch(channel, subscribed, changed), name="events")
            await subscribed.wait()
            await self._import(archive, images, present)
            await self._wait_visible(images, changed)

    async def _watch(
        self, channel: grpc.aio.Channel, subscribed: asyncio.Event, changed: asyncio.Event
    ) -> None:
        async for event in subscribe(channel, _TOPICS, clock=self._clock):
            (subscribed if event.topic == SUBSCRIBED else changed).set()

    async def _import(self, archive: Path, images: Sequence[Named], present: Present) -> None:
        fresh = [name for name, _ in images if await self._reader.image_status(name) is None]
        try:
            await self._ctr(
                *("images", "import", "--snapshotter", self._snapshotter, "-"),
                given=layout(archive, images, present),
            )
        except ImageArchiveError as error:
            for name in fresh:  # what cannot be unpacked has its name already
                with contextlib.suppress(ImageArchiveError):
                    await self._ctr("images", "remove", name)
            if "not found" in str(error) and present is self._is_present:
                raise _BlobsWent from error
            raise

    async def _ctr(self, *arguments: str, given: Iterator[bytes] | None = None) -> None:
        """Raises: ImageArchiveError: the command failed, for the reason that it gives."""
        address = self._endpoint.removeprefix("unix://")
        process = await asyncio.create_subprocess_exec(
            find_binary("ctr"), "--address", address, "--namespace", NAMESPACE, *arguments,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        async with Tasks("ctr") as tasks:
            errors = tasks.start(process.stderr.read(), name="errors")
            try:
                await _feed(process.stdin, given or iter(()))
                said = await errors
            except BaseException:
                process.kill()
                raise
            finally:
                await process.wait()
        if process.returncode != 0:
            reason = said.decode(errors="replace").strip().removeprefix("ctr: ")
            raise ImageArchiveError(f"containerd could not import the archive: {reason}")

    async def _wait_visible(self, images: Sequence[Named], changed: asyncio.Event) -> None:
        async with asyncio.timeout(VISIBLE_TIMEOUT):
            while not await self._all_visible(images):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _RECHECK)
                changed.clear()

    async def _all_visible(self, images: Sequence[Named]) -> bool:
        for name, image in images:
            status = await self._reader.image_status(name)
            if status is None or status.id != image.id:
                return False
        return True


class _BlobsWent(Exception):
    """Blobs that were there when the archive was read have been collected since."""


def _named(images: Sequence[ArchivedImage], name: str) -> list[Named]:
    if name and len({image.id for image in images}) != 1:
        raise ImageArchiveError("a name can be given to an archive of one image, and this one holds several")
    if name:
        return [(normalized(name), images[0])]
    return [(image.name or f"{_NAMELESS}@{manifest_digest(image)}", image) for image in images]


async def _feed(stdin: asyncio.StreamWriter, given: Iterator[bytes]) -> None:
    """To its end, or until nobody reads any more: then the reader says why."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while (piece := await asyncio.to_thread(next, given, None)) is not None:
            stdin.write(piece)
            await stdin.drain()
    stdin.close()


@contextlib.asynccontextmanager
async def _open(endpoint: str) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(endpoint)
    try:
        yield channel
    finally:
        await channel.close(None)
