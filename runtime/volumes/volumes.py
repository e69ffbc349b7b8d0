"""Sets a pod's volumes up and takes them down again.

Setting up again is harmless and brings files up to date. What each kind of volume is made of is in a module
of its own; which container mounts what is decided in `runtime.pods.containers.mounts`.
"""

import asyncio
import logging
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.errors import RuntimeFailed
from runtime.images.view import ImageViews
from runtime.pods.paths import PodPaths
from runtime.volumes import (
    atomic_writer,
    empty_dir,
    host_path,
    mount,
    nested_mounts,
    ownership,
    persistent_volume,
)
from runtime.volumes.errors import ClaimsNotReady, Notice, VolumeBusy, VolumeError
from runtime.volumes.payload import Contents, Payload, volume_payload
from runtime.volumes.persistent_volume import unknown_kind
from runtime.volumes.removal import remove_tree

logger = logging.getLogger(__name__)

PLUGINS = {
    "emptyDir": "empty-dir",
    "configMap": "configmap",
    "secret": "secret",
    "downwardAPI": "downward-api",
    "projected": "projected",
    "image": "image",
}
_IN_MEMORY = frozenset({"secret", "projected", "downwardAPI"})


class Volumes:
    """Implements `PodVolumes`."""

    def __init__(self, clock: Clock, images: ImageViews | None = None) -> None:
        """Without `images` it is the runtime that mounts images."""
        self._clock = clock
        self._images = images

    @property
    def mounts_images(self) -> bool:
        return self._images is not None

    async def set_up(self, pod: Object, paths: PodPaths, contents: Contents) -> list[Notice]:
        """All of the pod's volumes; claims among them have been replaced by what they are bound to.

        Raises:
            VolumeError: one, or several, cannot be set up; the others are.
        """
        failure: VolumeError | None = None
        notices: list[Notice] = []
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            try:
                notices += await asyncio.to_thread(self._set_up, pod, volume, paths, contents)
            except VolumeError as error:
                failure = failure or error
            except OSError as error:
                failure = failure or VolumeError.set_up(volume["name"], error)
        if failure is not None:
            raise failure
        return notices

    def host_path(self, paths: PodPaths, volume: Object) -> Path:
        """Where the volume lies on the node."""
        if "persistentVolume" in volume:
            return persistent_volume.path(paths, volume)
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        return paths.volume(_plugin(volume), volume["name"])

    async def mount_image(self, paths: PodPaths, volume: Object, image: cri.Image) -> Path | None:
        if self._images is None:
            return None
        place = self.host_path(paths, volume)
        try:
            await self._images.show(image, place)
        except OSError as error:
            why = f'failed to mount image volume "{volume["name"]}": {error.strerror}'
            raise RuntimeFailed(why) from error
        return place

    async def tear_down(self, paths: PodPaths) -> None:
        """Unmount everything of the pod and remove its volumes' files; those of hostPath stay.

        Raises:
            VolumeBusy: something stays mounted, or a file cannot be removed.
        """
        try:
            await asyncio.to_thread(_unmount, paths)
            await self._forget_images(paths)
            await asyncio.to_thread(_remove, paths)
        except OSError as error:
            raise VolumeBusy(f"{error.filename or paths.volumes}: {error.strerror}") from error

    async def _forget_images(self, paths: PodPaths) -> None:
        directory = paths.volume(PLUGINS["image"], "any").parent
        if self._images is not None and directory.is_dir():
            for each in directory.iterdir():
                await self._images.remove(each)

    def _set_up(self, pod: Object, volume: Object, paths: PodPaths, contents: Contents) -> list[Notice]:
        if volume["name"] in contents.failures:
            raise contents.failures[volume["name"]]
        if "persistentVolume" in volume:
            return persistent_volume.set_up(paths, pod, volume)
        if "hostPath" in volume:
            host_path.prepare(volume)
            return []
        plugin, name = _plugin(volume), volume["name"]
        if plugin == "image":
            return []  # mounted when its image has been pulled
        directory = paths.volume(plugin, name)
        if "emptyDir" in volume:
            memory = int(quantity.value(contents.facts.allocatable.get("memory") or 0))
            mark = paths.volume_state(plugin, name) / "ready"
            empty_dir.set_up(directory, mark, pod, volume, memory=memory)
            return []
        payload = volume_payload(pod, volume, contents)
        self._write(pod, volume, directory, payload or {})
        return []

    def _write(self, pod: Object, volume: Object, directory: Path, payload: Payload) -> None:
        if not directory.is_dir():
            directory.mkdir(parents=True)
            directory.chmod(0o777)
        _as_tmpfs(directory, volume)
        nested_mounts.make_places(pod, volume["name"], directory)
        group = ownership.fs_group(pod)
        atomic_writer.write(directory, payload, now=self._clock.now(), group=group)


def _plugin(volume: Object) -> str:
    """Raises: VolumeError."""
    for kind, plugin in PLUGINS.items():
        if kind in volume:
            return plugin
    kind = next((each for each in volume if each != "name"), "")
    raise ClaimsNotReady(volume["name"], unknown_kind(volume["name"], kind))


def _as_tmpfs(directory: Path, volume: Object) -> None:
    """What may hold secrets never reaches the disk."""
    if not _IN_MEMORY.isdisjoint(volume) and not mount.is_mount_point(directory):
        mount.mount_tmpfs(directory, size=None)


def _unmount(paths: PodPaths) -> None:
    mount.unmount_below(paths.directory)
    persistent_volume.release(paths)


def _remove(paths: PodPaths) -> None:
    for directory in (paths.volume_subpaths, paths.volume_devices, paths.volumes, paths.volume_states):
        remove_tree(directory)
