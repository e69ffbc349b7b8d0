"""Mounting and unmounting by system call, and finding what is mounted. What for is the callers' affair."""

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_READ_ONLY, _NO_SUID, _NO_DEV, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _SHARED = 32, 4096, 16384, 1 << 20
_DETACH, _NO_FOLLOW = 2, 8
_HARMLESS = _NO_SUID | _NO_DEV | _NO_EXEC
_PASSES = 3
"""One mount may hide others, which then are found by the next pass."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def mount_tmpfs(target: Path, *, size: int | None) -> None:
    """Never swapped out, if the kernel (6.4) can; the kernel's own mode, 1777. Raises: OSError."""
    options = [f"size={size}"] if size else []
    try:
        _mount("tmpfs", target, "tmpfs", options=",".join([*options, "noswap"]))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _mount("tmpfs", target, "tmpfs", options=",".join(options))


def mount_huge_pages(target: Path, *, page_size: int) -> None:
    """`page_size` in bytes. Raises: OSError."""
    _mount("nodev", target, "hugetlbfs", options=f"pagesize={page_size}")


def bind(source: str | Path, target: Path, *, read_only: bool = False, no_exec: bool = False) -> None:
    """Show `source`, without what is mounted below it, at `target` as well.

    Raises:
        OSError: it cannot be done; then nothing is mounted.
    """
    _mount(source, target, "", flags=_BIND)
    flags = (_READ_ONLY if read_only else 0) | (_HARMLESS if no_exec else 0)
    if flags:
        try:
            _mount("", target, "", flags=_BIND | _REMOUNT | flags)
        except OSError:
            unmount(target)
            raise


def mount_read_only(source: str, target: Path, kind: str, *, options: str) -> None:
    """A file system whose files are only to be read: not executed, no devices. Raises: OSError."""
    _mount(source, target, kind, flags=_READ_ONLY | _HARMLESS, options=options)


def share(directory: Path) -> None:
    """Let what is mounted below the directory be seen in every mount namespace that has it.

    As the kubelet does it: where no shared mount holds the directory, it becomes a mount of its own.

    Raises:
        OSError: it cannot be done.
    """
    real = str(directory.resolve())
    holders = [each for each in _lines() if f"{real}/".startswith(_path_of(each).rstrip("/") + "/")]
    holder = max(holders, key=lambda each: len(_path_of(each)))
    if _is_shared(holder):
        return
    if _path_of(holder) != real:
        _mount(directory, directory, "", flags=_BIND | _RECURSIVE)
    _mount("", directory, "", flags=_SHARED | _RECURSIVE)


def unmount(target: Path) -> None:
    """One in use goes away as soon as nobody uses it, and is out of the way at once. Nothing mounted is fine.

    Raises:
        OSError: it cannot be unmounted.
    """
    while True:
        if _LIBC.umount2(os.fsencode(target), _NO_FOLLOW | _DETACH) == 0:
            continue
        if ctypes.get_errno() in (errno.EINVAL, errno.ENOENT):
            return
        _check(-1, target)


def unmount_idle(target: Path) -> None:
    """Unmount a file system that must not go on unseen. Raises: OSError, also when it is in use."""
    _check(_LIBC.umount2(os.fsencode(target), _NO_FOLLOW), target)


def is_mount_point(path: Path) -> bool:
    """Also of a bind mount of the same file system, which `os.path.ismount` does not see."""
    try:
        return _mount_id_of(path) != _mount_id_of(path.parent)
    except FileNotFoundError:
        return False


def mounts_below(directory: Path) -> list[Path]:
    """Mount points in and below the directory, the deepest first."""
    real = str(directory.parent.resolve() / directory.name)
    below = [each for each in map(_path_of, _lines()) if each == real or each.startswith(f"{real}/")]
    return [Path(each) for each in sorted(below, key=len, reverse=True)]


def twins(path: Path) -> list[Path]:
    """Where else the very thing is mounted that is mounted here."""
    real = str(path.parent.resolve() / path.name)
    mounted = [(_path_of(line), line.split(" ", 4)[2:4]) for line in _lines()]
    here = [what for where, what in mounted if where == real]
    return [Path(where) for where, what in mounted if where != real and what in here[-1:]]


def unmount_below(directory: Path) -> None:
    """Everything in and below the directory, the deepest first.

    Raises:
        OSError: something stays mounted.
    """
    for _ in range(_PASSES):
        mounted = mounts_below(directory)
        for target in mounted:
            unmount(target)
        if not mounted:
            return
    left = mounts_below(directory)
    if left:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(left[0]))


def mount_id(descriptor: int) -> str:
    """Of the mount in which an open file lies: two files differ in it when a mount point is between them."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith("mnt_id:"))


def _mount_id_of(path: Path) -> str:
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        return mount_id(descriptor)
    finally:
        os.close(descriptor)


def _lines() -> Iterator[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        yield from file


def _path_of(line: str) -> str:
    return _unescaped(line.split(" ", 5)[4])


def _is_shared(line: str) -> bool:
    return any(each.startswith("shared:") for each in line.partition(" - ")[0].split(" ")[6:])


def _mount(source: str | Path, target: Path, kind: str, *, flags: int = 0, options: str = "") -> None:
    result = _LIBC.mount(
        os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), os.fsencode(options)
    )
    _check(result, target)


def _unescaped(text: str) -> str:
    """mountinfo writes space, tab, newline and backslash as three octal digits."""
    if "\\" in text:
        for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
            text = text.replace(code, letter)
    return text


def _check(result: int, target: Path) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
