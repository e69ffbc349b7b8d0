"""A file system of a few hundred MiB in a file, for what happens when a disk is full.

Not here: what is put on it.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAKE = "mkfs.ext4"


def lacking() -> str:
    """Why there can be none on this machine; empty if there can."""
    if not shutil.which(MAKE):
        return f"{MAKE} is not installed"
    return "" if Path("/dev/loop-control").exists() else "the kernel has no loop devices"


@contextmanager
def mounted(file: Path, at: Path, *, mebibytes: int) -> Iterator[Path]:
    """The directory `at` on a disk of its own, empty but for lost+found."""
    with file.open("wb") as disk:
        disk.truncate(mebibytes << 20)
    _run(MAKE, "-q", "-F", "-m", "0", str(file))
    at.mkdir(parents=True, exist_ok=True)
    _run("mount", "-o", "loop", str(file), str(at))
    try:
        yield at
    finally:
        _run("umount", "--lazy", str(at))
        file.unlink()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
