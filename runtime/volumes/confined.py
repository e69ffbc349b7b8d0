"""Files in directories that containers write to, opened so that no symlink leads out of the directory."""

import ctypes
import errno
import os
import stat
from pathlib import Path

_OPENAT2 = 437
_NO_MAGIC_LINKS, _IN_ROOT = 0x02, 0x10
_LIBC = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def read_file(root: Path, path: str, *, most: int) -> bytes:
    """At most so many bytes of a regular file; `root` is "/" to whatever symlinks there are.

    Raises:
        OSError: there is none, or it is no regular file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _How(flags, 0, _IN_ROOT | _NO_MAGIC_LINKS)
        number = _LIBC.syscall(_OPENAT2, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    finally:
        os.close(directory)
    if number < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "no regular file", path)
    with open(number, "rb") as file:
        return file.read(most)
