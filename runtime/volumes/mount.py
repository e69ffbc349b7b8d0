"""Mounting and unmounting by system call: tmpfs for volumes in memory, and finding what is mounted."""

import ctypes
import errno
import os
from pathlib import Path

_MNT_DETACH = 2
_LIBC = ctypes.CDLL(None, use_errno=True)


def mount_tmpfs(target: Path, *, size: int | None, mode: int = 0o777) -> None:
    """Raises: OSError."""
    options = f"mode={mode:o}" + (f",size={size}" if size else "")
    result = _LIBC.mount(b"tmpfs", os.fsencode(target), b"tmpfs", 0, options.encode())
    _check(result, target)


def unmount(target: Path) -> None:
    """Also when it is in use: it goes away as soon as nobody uses it. No error where nothing is mounted.

    Raises:
        OSError: it cannot be unmounted.
    """
    while True:
        if _LIBC.umount2(os.fsencode(target), _MNT_DETACH) == 0:
            continue
        if ctypes.get_errno() in (errno.EINVAL, errno.ENOENT):
            return
        _check(-1, target)


def is_mount_point(path: Path) -> bool:
    return os.path.ismount(path)


def mounts_below(directory: Path) -> list[Path]:
    """Mount points in and below the directory, the deepest first."""
    prefix = f"{directory}/"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        targets = [_unescaped(line.split(" ")[4]) for line in file]
    below = [each for each in targets if each == str(directory) or each.startswith(prefix)]
    return [Path(each) for each in sorted(below, key=len, reverse=True)]


def _unescaped(text: str) -> str:
    """mountinfo writes space, tab, newline and backslash as three octal digits."""
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text


def _check(result: int, target: Path) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
