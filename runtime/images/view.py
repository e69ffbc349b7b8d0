"""Shows an image's files at a place of the node, read-only, for volumes: a view of its layers, mounted.

    volume's directory ──> view in containerd, by a key from the directory ──> mount
    unmounted ──> view removed ──> directory removed

The directory is what tells of a view, so that one is removed also after a crash at any step.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from runtime.cri.snapshots import Layers, Snapshots
from runtime.volumes import mount

_LONGEST = 3800
"""Bytes of mount options beyond which they must be shortened: a page holds them."""
_LOWER = "lowerdir="


class LayersOf(Protocol):
    async def image_chain(self, image: str) -> str:
        """The chain id of the image's layers. Raises NotFound."""


class ImageViews:
    def __init__(self, images: LayersOf, snapshots: Snapshots, clock: Clock) -> None:
        self._images = images
        self._snapshots = snapshots
        self._clock = clock

    async def show(self, image: cri.Image, directory: Path) -> None:
        """Mount the image's files at the directory; harmless when they are there.

        Raises:
            RuntimeServiceError: containerd cannot give a view.
            OSError: it cannot be mounted.
        """
        if mount.is_mount_point(directory):
            return
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        chain = await self._images.image_chain(image.id)
        layers = await self._snapshots.view(_key(directory), chain, now=self._clock.now())
        await asyncio.to_thread(_mount, directory, layers)

    async def remove(self, directory: Path) -> None:
        """Forget the view that was mounted at the directory, which is unmounted by now."""
        await self._snapshots.remove(_key(directory))


def _key(directory: Path) -> str:
    """Of `pods/<uid>/volumes/kubernetes.io~image/<name>`."""
    return f"image-volume/{directory.parents[2].name}/{directory.name}"


def _mount(directory: Path, layers: Layers) -> None:
    if layers.kind == "bind":
        mount.bind(layers.source, directory, read_only=True, no_exec=True)
        return
    with _short(layers.options) as options:
        mount.mount_read_only(layers.source, directory, layers.kind, options=options)


@contextmanager
def _short(options: list[str]) -> Iterator[str]:
    """Many layers have long paths: those are then given relative to an open directory."""
    given = [each for each in options if each not in ("ro", "rw")]
    lower = next((each for each in given if each.startswith(_LOWER)), "")
    if len(",".join(given)) <= _LONGEST or not lower:
        yield ",".join(given)
        return
    paths = lower.removeprefix(_LOWER).split(":")
    base = os.path.commonpath(paths)
    descriptor = os.open(base, os.O_PATH | os.O_DIRECTORY)
    try:
        shorter = [f"/proc/self/fd/{descriptor}/{os.path.relpath(each, base)}" for each in paths]
        yield ",".join([_LOWER + ":".join(shorter), *(each for each in given if each != lower)])
    finally:
        os.close(descriptor)
