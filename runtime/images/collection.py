"""Removes images that nobody uses: when their disk is nearly full, when they are old, before evictions.

Never one that a container has been made from, that a pod on the node names, or that is pinned, as is the
pause image, which cannot be pulled again. The one that was not used for longest goes first.
"""

import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from runtime.errors import NodeError, RuntimeServiceError
from runtime.images.pause import PAUSE_IMAGE
from runtime.images.use import ImageUse
from runtime.stats.size_text import size_text

logger = logging.getLogger(__name__)

COLLECT_EVERY = 300.0
FIRST_AFTER = 10.0
"""Seconds: the node's own start comes first."""
_ALL = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPolicy:
    """Percentages of the disk's capacity in use; ages in seconds, the largest 0 for none."""

    high: int
    low: int
    least_age: float
    largest_age: float

    @property
    def never(self) -> bool:
        return self.high == 100 and not self.largest_age


class Disk(NamedTuple):
    """Bytes."""

    capacity: int
    available: int


class CollectionFailed(NodeError):
    """Not enough could be freed; the text is what an event says."""


class ImageRuntime(Protocol):
    """What of `ContainerRuntime` is needed."""

    async def list_images(self) -> Sequence[cri.Image]: ...

    async def list_containers(
        self, filter_: cri.ContainerFilter | None = None
    ) -> Sequence[cri.Container]: ...

    async def remove_image(self, image: str) -> None: ...

    async def image_fs_info(self) -> Sequence[cri.FilesystemUsage]: ...


class Warnings(Protocol):
    def warning(self, reason: str, message: str) -> None:
        """Record an event about the node."""


class ImageCollection:
    def __init__(
        self,
        runtime: ImageRuntime,
        clock: Clock,
        policy: CollectionPolicy,
        *,
        use: ImageUse,
        wanted: Callable[[], set[str]],
        events: Warnings,
        removed: Counter[str],
        listed: Callable[[Sequence[str], datetime], None] = lambda ids, at: None,
        disk: Callable[[], Awaitable[Disk]] | None = None,
    ) -> None:
        """`wanted` gives the full names that pods of the node ask for; `removed` counts by age and space.

        `listed` is told the ids of all images, at each look, and when it began.
        """
        self._runtime = runtime
        self._clock = clock
        self._policy = policy
        self._use = use
        self._wanted = wanted
        self._events = events
        self._removed = removed
        self._listed = listed
        self._disk = disk or self._image_disk
        self._began = clock.monotonic()

    async def run(self) -> None:
        """Collect for ever; an event tells of what has failed twice in a row."""
        await self._clock.sleep(FIRST_AFTER)
        failed_before = False
        while True:
            try:
                await self.collect()
                failed_before = False
            except NodeError as error:
                logger.warning("images cannot be collected: %s", error)
                if failed_before:
                    self._events.warning("ImageGCFailed", str(error))
                failed_before = True
            await self._clock.sleep(COLLECT_EVERY)

    async def collect(self) -> None:
        """What is too old goes; if the disk is too full, what is needed to get it below the low mark.

        Raises: CollectionFailed, RuntimeServiceError.
        """
        unused = await self._unused()
        if self._policy.never:
            return
        unused = await self._remove_old(unused)
        disk = await self._disk()
        if not disk.capacity:
            message = "invalid capacity 0 on image filesystem"
            self._events.warning("InvalidDiskCapacity", message)
            raise CollectionFailed(message)
        available = min(disk.available, disk.capacity)
        used = 100 - available * 100 // disk.capacity
        if used < self._policy.high:
            return
        wanted = disk.capacity * (100 - self._policy.low) // 100 - available
        logger.info("%d%% of the images' disk are in use: freeing %d bytes", used, wanted)
        freed = await self._free(unused, wanted)
        if freed < wanted:
            message = _insufficient(used, disk.capacity, freed)
            self._events.warning("FreeDiskSpaceFailed", message)
            raise CollectionFailed(message)

    async def delete_unused(self) -> int:
        """Remove whatever nobody uses; returns the bytes that this freed. Raises RuntimeServiceError."""
        return await self._free(await self._unused(), _ALL)

    async def _unused(self) -> list[cri.Image]:
        """Those that may go, the one that was not used for longest first; takes note of those in use."""
        began = self._clock.now()
        images, containers = await self._runtime.list_images(), await self._runtime.list_containers()
        self._listed([each.id for each in images], began)
        referred = {name for each in containers for name in (each.image_ref, each.image.image)}
        referred |= self._wanted()
        in_use = {each.id for each in images if _names(each) & referred}
        self._use.note([each.id for each in images], in_use, self._now())
        idle = [each for each in images if each.id not in in_use and not _is_pinned(each)]
        return sorted(idle, key=lambda each: (self._use[each.id].used, self._use[each.id].detected))

    async def _remove_old(self, images: Sequence[cri.Image]) -> list[cri.Image]:
        """An agent that has not run for so long cannot know which images were used meanwhile."""
        largest = self._policy.largest_age
        if not largest or self._clock.monotonic() - self._began <= largest:
            return list(images)
        left = []
        for image in images:
            use = self._use[image.id]
            if self._now() - max(use.used, use.detected) <= largest:
                left.append(image)
            else:
                await self._remove(image, "age")
        return left

    async def _free(self, images: Sequence[cri.Image], wanted: int) -> int:
        freed = 0
        errors: list[str] = []
        for image in images:
            if freed >= wanted:
                break
            if self._now() - self._use[image.id].detected < self._policy.least_age:
                continue  # it may have been pulled for a container that is about to be made
            try:
                await self._remove(image, "space")
                freed += image.size
            except RuntimeServiceError as error:
                errors.append(str(error))
        if errors:
            raise CollectionFailed(
                f"wanted to free {wanted} bytes, but freed {freed} bytes space with errors in "
                f"image deletion: [{', '.join(errors)}]"
            )
        return freed

    async def _remove(self, image: cri.Image, why: str) -> None:
        logger.info("removing the image %s (%s), which nobody uses", image.id, ", ".join(image.repo_tags))
        await self._runtime.remove_image(image.id)
        self._removed[why] += 1

    async def _image_disk(self) -> Disk:
        info = await self._runtime.image_fs_info()
        if not info:
            return Disk(0, 0)
        try:
            found = os.statvfs(Path(info[0].fs_id.mountpoint))
        except OSError as error:
            raise CollectionFailed(f"failed to get image stats: {error}") from error
        return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _names(image: cri.Image) -> set[str]:
    return {image.id, *image.repo_tags, *image.repo_digests}


def _is_pinned(image: cri.Image) -> bool:
    return image.pinned or PAUSE_IMAGE in image.repo_tags


def _insufficient(used: int, capacity: int, freed: int) -> str:
    return (
        f"Insufficient free disk space on the node's image filesystem "
        f"({used}% of {size_text(capacity)} used). "
        f"Failed to free sufficient space by deleting unused images (freed {freed} bytes). "
        "Investigate disk usage, as it could be used by active images, logs, volumes, or other data."
    )
