"""How full file systems are, and what lies below a directory. Blocking: call it in a thread."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cri_api.v1.api_pb2 import FilesystemUsage

from runtime.stats.usage import FileSystem

_BLOCK = 512


class Size(NamedTuple):
    """`used` is in bytes."""

    used: int = 0
    inodes: int = 0


def file_system(path: Path, now: datetime) -> FileSystem | None:
    """The file system that holds `path`; None when there is no such path."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return FileSystem(
        now,
        capacity=found.f_blocks * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        used=(found.f_blocks - found.f_bfree) * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_ffree,
        inodes_used=found.f_files - found.f_ffree,
    )


def same_disk(one: Path, other: Path) -> bool:
    """Whether both lie on one file system; also when that cannot be told."""
    try:
        return os.stat(one).st_dev == os.stat(other).st_dev
    except OSError:
        return True


def disk_usage(top: Path) -> Size:
    """What a directory and all below it take on its own file system; files with two names count once."""
    try:
        device = top.lstat().st_dev
    except OSError:
        return Size()
    used = inodes = 0
    seen: set[int] = set()
    for found in _walk(str(top), device):
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if found.st_ino in seen:
                continue
            seen.add(found.st_ino)
        used += found.st_blocks * _BLOCK
        inodes += 1
    return Size(used, inodes)


def _walk(top: str, device: int) -> Iterator[os.stat_result]:
    """The status of everything on the device; what goes away meanwhile is not there."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            found = os.lstat(path)
            if found.st_dev != device:
                continue
            yield found
            if stat.S_ISDIR(found.st_mode):
                with os.scandir(path) as entries:
                    waiting.extend(entry.path for entry in entries)
        except OSError:
            continue


def part_of(whole: FileSystem | None, size: Size, now: datetime) -> FileSystem:
    """What something takes of a file system."""
    if whole is None:
        return FileSystem(now, used=size.used, inodes_used=size.inodes)
    return FileSystem(
        now, whole.capacity, whole.available, size.used, whole.inodes, whole.inodes_free, size.inodes
    )


def with_usage(whole: FileSystem | None, used: FilesystemUsage | None, now: datetime) -> FileSystem:
    """A file system where the runtime says how much of it is used for its purpose."""
    if used is None:
        return replace(whole, used=None, inodes_used=None) if whole is not None else FileSystem(now)
    return part_of(whole, Size(used.used_bytes.value, used.inodes_used.value), now)
