"""Gives a volume's files to the pod's fsGroup, as the kubelet does it (SetVolumeOwnership).

Group and group permissions are set, directories get the setgid bit. Links are never followed: containers of
other pods may be at work in the volume.
"""

import os
import stat
from pathlib import Path

from kubeling.objects.meta import Object

_READ_WRITE, _READ_ONLY, _EXECUTE = 0o660, 0o440, 0o110


def fs_group(pod: Object) -> int | None:
    group = ((pod.get("spec") or {}).get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def only_on_root_mismatch(pod: Object) -> bool:
    context = (pod.get("spec") or {}).get("securityContext") or {}
    return bool(context.get("fsGroupChangePolicy") == "OnRootMismatch")


def give(directory: Path, group: int, *, read_only: bool, only_on_mismatch: bool = False) -> None:
    """Everything below the directory, the directory itself last: it says that all is done.

    Raises:
        OSError: something cannot be changed.
    """
    if only_on_mismatch and is_given(directory, group, read_only=read_only):
        return
    try:
        for _, directories, files, descriptor in os.fwalk(directory, topdown=False):
            for name in [*files, *directories]:
                _change(name, descriptor, group, read_only=read_only)
    except RecursionError as error:
        raise OSError(f"directories are nested too deeply below {directory}") from error
    _change(str(directory), None, group, read_only=read_only)


def is_given(directory: Path, group: int, *, read_only: bool) -> bool:
    """Whether the volume's root looks as if all was done before."""
    found = directory.stat()
    wanted = stat.S_ISGID | _EXECUTE | (_READ_ONLY if read_only else _READ_WRITE)
    return found.st_gid == group and found.st_mode & wanted == wanted


def _change(name: str, parent: int | None, group: int, *, read_only: bool) -> None:
    """By descriptor: the name may mean another file a moment later."""
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISLNK(mode):
            os.chown(name, -1, group, dir_fd=parent, follow_symlinks=False)
            return
        mask = _READ_ONLY if read_only else _READ_WRITE
        if stat.S_ISDIR(mode):
            mask |= stat.S_ISGID | _EXECUTE
        own = f"/proc/self/fd/{descriptor}"
        os.chown(own, -1, group)
        os.chmod(own, stat.S_IMODE(mode) | mask)
    finally:
        os.close(descriptor)
