"""hostPath volumes: the check of their type, the making of what DirectoryOrCreate and FileOrCreate want."""

import stat
from collections.abc import Callable
from pathlib import Path

from kubeling.objects.meta import Object
from runtime.volumes.errors import VolumeError

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "FileOrCreate": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


def prepare(volume: Object) -> None:
    """Make sure that the path is what the volume says it is.

    Raises:
        VolumeError: it is not.
    """
    path, kind = Path(volume["hostPath"]["path"]), volume["hostPath"].get("type") or ""
    if not kind:
        return
    try:
        _make(path, kind)
        mode = path.stat().st_mode
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = _CHECKS[kind][1] if missing else str(error)
        raise VolumeError.set_up(volume["name"], f"hostPath type check failed: {path} {why}") from error
    matches, why = _CHECKS[kind]
    if not matches(mode):
        raise VolumeError.set_up(volume["name"], f"hostPath type check failed: {path} {why}")


def _make(path: Path, kind: str) -> None:
    if path.exists():
        return
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, mode=0o755)
    elif kind == "FileOrCreate":
        path.touch(mode=0o644)
