"""subPath mounts: one file or directory inside a volume, whatever containers do in the volume meanwhile.

A name in a volume may become a link to anywhere between two looks at it. So what is mounted is what was
opened: links are resolved, then every step of the resolved path is opened without following any, and the
open file is bound to a place in the pod's directory that only the node can change, which the runtime is told.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runtime.volumes import mount


def prepare(volume: Path, subpath: str, target: Path) -> None:
    """Show the file or directory at `target`; one that is shown there already stays, or gives way.

    Raises:
        OSError: it leads out of the volume, is not there, or cannot be bound.
    """
    root = _real(volume)
    with _opened(root, _real(root / subpath)) as descriptor:
        if mount.is_mount_point(target):
            if _same(descriptor, target):
                return
            mount.unmount(target)
        _make_target(target, directory=stat.S_ISDIR(os.fstat(descriptor).st_mode))
        mount.bind(f"/proc/self/fd/{descriptor}", target)


def make_directory(volume: Path, subpath: str) -> None:
    """Make the directory where there is nothing, with all of the volume's own mode, and its group.

    Raises:
        OSError: it leads out of the volume, or cannot be made.
    """
    root = _real(volume)
    mode = stat.S_IMODE(root.stat().st_mode)
    existing = _real(root / subpath, strict=False)
    missing: list[str] = []
    while existing != root and not existing.exists():
        missing.insert(0, existing.name)
        existing = existing.parent
    with _opened(root, existing) as descriptor, ExitStack() as steps:
        for name in missing:
            os.mkdir(name, mode, dir_fd=descriptor)
            descriptor = _step(descriptor, name, steps)
            os.chmod(f"/proc/self/fd/{descriptor}", mode)


def is_missing(volume: Path, subpath: str) -> bool:
    """Whether there is nothing; where that cannot be told, `prepare` will fail."""
    try:
        os.stat(volume / subpath)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _real(path: Path, *, strict: bool = True) -> Path:
    """Without links. Raises OSError also where they go round in circles, which `Path.resolve` does not."""
    return Path(os.path.realpath(path, strict=strict))


@contextmanager
def _opened(root: Path, path: Path) -> Iterator[int]:
    """A descriptor of a resolved path. Raises OSError when it is not below root, or a link by now."""
    if path != root and root not in path.parents:
        raise OSError(errno.EXDEV, "the path leads out of the volume", str(path))
    with ExitStack() as steps:
        descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY)
        steps.callback(os.close, descriptor)
        for name in path.relative_to(root).parts:
            descriptor = _step(descriptor, name, steps)
        yield descriptor


def _step(parent: int, name: str, steps: ExitStack) -> int:
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    steps.callback(os.close, descriptor)
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):
        raise OSError(errno.ELOOP, "a link took the place of the path", name)
    return descriptor


def _same(descriptor: int, target: Path) -> bool:
    shown, wanted = target.stat(), os.fstat(descriptor)
    return (shown.st_dev, shown.st_ino) == (wanted.st_dev, wanted.st_ino)


def _make_target(target: Path, *, directory: bool) -> None:
    """Of an earlier attempt there may be a directory where a file is wanted, or the other way round."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if target.exists() and target.is_dir() != directory:
        target.rmdir() if target.is_dir() else target.unlink()
    if directory:
        target.mkdir(exist_ok=True, mode=0o750)
    else:
        target.touch(mode=0o640)
