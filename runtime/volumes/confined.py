"""Opens files in directories that containers may write to, so that no symlink leads elsewhere."""

import ctypes
import errno
import os
import stat
from pathlib import Path

_OPENAT2 = 437
_NO_MAGIC_LINKS, _NO_LINKS, _BENEATH, _IN_ROOT = 0x02, 0x04, 0x08, 0x10
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_LIBC = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_plain(path: Path, *, parts: int = 3) -> int:
    """A descriptor of a regular file that is reached without a symlink in the path's last `parts` parts.

    Raises:
        OSError: there is none.
    """
    root = path.parents[min(parts, len(path.parents)) - 1]
    return _open(root, str(path.relative_to(root)), _NO_LINKS | _BENEATH)


def read_file(root: Path, path: str, *, most: int) -> bytes:
    """At most so many bytes of a regular file; `root` is "/" to whatever symlinks there are.

    Raises:
        OSError: there is none.
    """
    with open(_open(root, path, _IN_ROOT | _NO_MAGIC_LINKS), "rb") as file:
        return file.read(most)


def _open(root: Path, path: str, resolve: int) -> int:
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _How(_FLAGS, 0, resolve)
        number = int(
            _LIBC.syscall(_OPENAT2, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        )
        error = ctypes.get_errno()
    finally:
        os.close(directory)
    if number < 0:
        raise OSError(error, os.strerror(error), str(root / path))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "no regular file", str(root / path))
    return number
