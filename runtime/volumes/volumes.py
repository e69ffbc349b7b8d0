"""Sets a pod's volumes up and takes them down again.

Kinds: emptyDir (on disk or in memory), hostPath, configMap, secret, downwardAPI, projected. Setting up again
is harmless and brings files up to date. Which container mounts what is decided in `runtime.pods.mounts`.
"""

import asyncio
import logging
import os
import shutil
from pathlib import Path

from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.pods.downward import PodFacts
from runtime.pods.paths import PodPaths
from runtime.pods.references import Sources
from runtime.volumes import atomic_writer, host_path, mount
from runtime.volumes.account_tokens import Tokens
from runtime.volumes.errors import VolumeError
from runtime.volumes.payload import NO_TOKENS, volume_payload
from runtime.volumes.subpath import resolve_subpath

logger = logging.getLogger(__name__)

_PLUGINS = {
    "emptyDir": "empty-dir",
    "configMap": "configmap",
    "secret": "secret",
    "downwardAPI": "downward-api",
    "projected": "projected",
}


class Volumes:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def set_up(
        self, pod: Object, paths: PodPaths, sources: Sources, facts: PodFacts, tokens: Tokens = NO_TOKENS
    ) -> None:
        """All of the pod's volumes.

        Raises:
            VolumeError: one cannot be set up; the others may have been.
        """
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            try:
                await asyncio.to_thread(self._set_up, pod, volume, paths, sources, facts, tokens)
            except OSError as error:
                raise VolumeError.set_up(volume["name"], error) from error

    def host_path(self, paths: PodPaths, volume: Object) -> Path:
        """Where the volume lies on the node."""
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        return paths.volume(_plugin(volume), volume["name"])

    def subpath(self, paths: PodPaths, volume: Object, subpath: str) -> Path:
        """A file or directory in the volume; a directory is made when there is nothing.

        Raises:
            VolumeError: the path leads out of the volume, or cannot be made.
        """
        return resolve_subpath(self.host_path(paths, volume), subpath, volume["name"])

    async def tear_down(self, paths: PodPaths) -> None:
        """Unmount everything of the pod and remove its volumes' files; those of hostPath stay."""
        await asyncio.to_thread(_tear_down, paths)

    def _set_up(
        self,
        pod: Object,
        volume: Object,
        paths: PodPaths,
        sources: Sources,
        facts: PodFacts,
        tokens: Tokens,
    ) -> None:
        if "hostPath" in volume:
            host_path.prepare(volume)
            return
        group = ((pod.get("spec") or {}).get("securityContext") or {}).get("fsGroup")
        directory = paths.volume(_plugin(volume), volume["name"])
        directory.mkdir(parents=True, exist_ok=True)
        if "emptyDir" in volume:
            _empty_dir(directory, volume["emptyDir"] or {}, group)
            return
        payload = volume_payload(pod, volume, sources, facts, tokens)
        _as_tmpfs(directory, volume)
        atomic_writer.write(directory, payload or {}, now=self._clock.now(), group=group)


def _plugin(volume: Object) -> str:
    """Raises: VolumeError."""
    for kind, plugin in _PLUGINS.items():
        if kind in volume:
            return plugin
    raise VolumeError.set_up(volume["name"], "no volume plugin matched")


def _empty_dir(directory: Path, source: Object, group: int | None) -> None:
    if source.get("medium") == "Memory" and not mount.is_mount_point(directory):
        limit = source.get("sizeLimit")
        mount.mount_tmpfs(directory, size=quantity.value(limit) if limit else None)
    directory.chmod(0o777)
    if group is not None:
        os.chown(directory, -1, group)
        directory.chmod(0o2777)


def _as_tmpfs(directory: Path, volume: Object) -> None:
    """What may hold secrets never reaches the disk."""
    if "secret" not in volume and "projected" not in volume:
        return
    if not mount.is_mount_point(directory):
        mount.mount_tmpfs(directory, size=None, mode=0o1777)


def _tear_down(paths: PodPaths) -> None:
    if not paths.directory.is_dir():
        return
    for target in mount.mounts_below(paths.directory):
        try:
            mount.unmount(target)
        except OSError as error:
            logger.warning("cannot unmount %s: %s", target, error)
    if not mount.mounts_below(paths.directory):
        shutil.rmtree(paths.volumes, ignore_errors=True)
