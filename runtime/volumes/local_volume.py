"""PersistentVolumes of type local: a directory, or a block device with a file system on it or as it is.

directory     bound to the pod's volume directory
block device  volumeMode Filesystem: mounted once per node below plugins/, made an ext4 file system if blank,
              and bound from there; volumeMode Block: handed to containers as a device
"""

import logging
import os
import stat
import subprocess
from pathlib import Path

from kubeling.objects import meta
from kubeling.objects.meta import Object
from runtime.volumes import mount, ownership
from runtime.volumes.errors import DeviceError, Notice, VolumeError

logger = logging.getLogger(__name__)

PLUGIN = "local-volume"
DEFAULT_FILE_SYSTEM = "ext4"
_BLANK = 2
"""What blkid ends with when it finds nothing on a device."""
_TIMEOUT = 120.0


def set_up(directory: Path, root: Path, pod: Object, volume: Object) -> list[Notice]:
    """Show the volume at `directory`. `root` is the node's.

    Raises:
        VolumeError: the path is not there, or is neither directory nor block device.
        OSError: it cannot be mounted.
    """
    found, read_only = volume["persistentVolume"], bool(volume.get("readOnly"))
    source = _source(root, found, read_only=read_only)
    if mount.is_mount_point(directory):
        return []
    directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    mount.bind(source, directory, read_only=read_only)
    group = ownership.fs_group(pod)
    if group is None or read_only:
        return []
    if _users(root, directory):
        return _told_of(found, group, directory.stat().st_gid)
    ownership.give(directory, group, read_only=False, only_on_mismatch=ownership.only_on_root_mismatch(pod))
    return []


def _told_of(found: Object, wanted: int, given: int) -> list[Notice]:
    if wanted == given:
        return []
    message = f"The requested fsGroup is {wanted}, but the volume {meta.name(found)} has GID {given}."
    return [Notice("AlreadyMountedVolume", f"{message} The volume may not be shareable.")]


def set_up_device(link: Path, volume: Object) -> None:
    """Let `link` lead to the block device.

    Raises:
        VolumeError: there is none.
        OSError: the link cannot be made.
    """
    found = volume["persistentVolume"]
    path = _path(found)
    if not stat.S_ISBLK(_mode(found)):
        name = meta.name(found)
        raise DeviceError(f'MapVolume.SetUpDevice failed for volume "{name}" : {path} is not a block device')
    link.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if not link.is_symlink():
        link.symlink_to(path)


def release(root: Path, directories: list[Path]) -> None:
    """These pods' directories of volumes are unmounted: so are devices that no other pod uses.

    Raises:
        OSError: a device is busy.
    """
    for directory in directories:
        place = _device_place(root, directory.name)
        if place.is_dir():
            if mount.is_mount_point(place) and not _users(root, place):
                mount.unmount_idle(place)
            if not mount.is_mount_point(place):
                place.rmdir()


def _source(root: Path, found: Object, *, read_only: bool) -> Path:
    mode = _mode(found)
    if stat.S_ISDIR(mode):
        return _path(found)
    if not stat.S_ISBLK(mode):
        raise _unusable(found, "only directory and block device are supported")
    place = _device_place(root, meta.name(found))
    if not mount.is_mount_point(place):
        place.mkdir(parents=True, exist_ok=True, mode=0o750)
        _mount_device(found, place, read_only=read_only)
    return place


def _mount_device(found: Object, place: Path, *, read_only: bool) -> None:
    path, kind = str(_path(found)), found["spec"]["local"].get("fsType") or DEFAULT_FILE_SYSTEM
    options = [*(found["spec"].get("mountOptions") or []), *(["ro"] if read_only else [])]
    try:
        if _is_blank(path) and not read_only:
            logger.info("making a file system %s on %s", kind, path)
            _run(f"mkfs.{kind}", *(["-F", "-m0"] if kind.startswith("ext") else []), path)
        _run("mount", "-t", kind, *(["-o", ",".join(options)] if options else []), path, str(place))
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or error
        name = meta.name(found)
        raise VolumeError(f'MountVolume.MountDevice failed for volume "{name}" : {said}') from error


def _is_blank(device: str) -> bool:
    done = subprocess.run(
        ["blkid", "-p", "-o", "export", device], capture_output=True, timeout=_TIMEOUT, check=False
    )
    return done.returncode == _BLANK


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True)


def _users(root: Path, directory: Path) -> list[Path]:
    """Where else pods have what is mounted at `directory`."""
    pods = root.resolve() / "pods"
    return [each for each in mount.twins(directory) if pods in each.parents]


def _device_place(root: Path, name: str) -> Path:
    return root / "plugins" / "kubernetes.io" / PLUGIN / "mounts" / name


def _path(found: Object) -> Path:
    return Path(found["spec"]["local"]["path"])


def _mode(found: Object) -> int:
    try:
        return os.stat(_path(found)).st_mode
    except FileNotFoundError as error:
        raise _unusable(found, f'path "{_path(found)}" does not exist') from error


def _unusable(found: Object, why: str) -> VolumeError:
    name = meta.name(found)
    return VolumeError(f'MountVolume.NewMounter initialization failed for volume "{name}" : {why}')
