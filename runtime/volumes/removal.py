"""Removes directories and everything in them, but never what is mounted there: that is somebody else's.

Containers may have nested directories deeper than paths and open files go, so nothing here is recursive: what
is in a subdirectory is moved up until every directory is empty.
"""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from runtime.volumes.mount import mount_id


def remove_tree(directory: Path) -> None:
    """A directory that is not there is fine.

    Raises:
        OSError: something cannot be removed, or is mounted (EBUSY, EXDEV); behind a mount nothing is touched.
    """
    try:
        parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        _empty(parent, directory.name)
        os.rmdir(directory.name, dir_fd=parent)
    except NotADirectoryError:
        os.unlink(directory.name, dir_fd=parent)
    except FileNotFoundError:
        return
    finally:
        os.close(parent)


def _empty(parent: int, name: str) -> None:
    base = _open_within(parent, name)
    prefix, moved = secrets.token_hex(8), 0
    try:
        while names := os.listdir(base):
            for each in names:
                if _removed(base, each):
                    continue
                inner = _open_within(base, each)
                try:
                    for child in os.listdir(inner):
                        if not _removed(inner, child):
                            moved += 1
                            os.rename(child, f"{prefix}-{moved}", src_dir_fd=inner, dst_dir_fd=base)
                finally:
                    os.close(inner)
    finally:
        os.close(base)


def _open_within(parent: int, name: str) -> int:
    """The directory, unless it is a link or a mount point. Raises: OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    if mount_id(descriptor) != mount_id(parent):
        os.close(descriptor)
        raise OSError(errno.EXDEV, "something is mounted there", name)
    return descriptor


def _removed(parent: int, name: str) -> bool:
    """Remove a file, a link or an empty directory; False for a directory that is not empty."""
    with contextlib.suppress(IsADirectoryError, PermissionError):
        os.unlink(name, dir_fd=parent)
        return True
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True
