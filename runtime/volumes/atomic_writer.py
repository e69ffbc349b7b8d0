"""Writes the files of a ConfigMap, Secret or downward volume so that readers never see half of them.

The layout is the kubelet's: the files lie in a directory named after the time, `..data` is a symlink to it
that is replaced by a rename, and each name that users see is a symlink through `..data`:

    volume/..2026_11_21_00_00_00.123456789/key
    volume/..data -> ..2026_11_21_00_00_00.123456789
    volume/key -> ..data/key
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from runtime.volumes import ownership

DATA = "..data"
_DATA_NEW = "..data_tmp"


class File(NamedTuple):
    """One file: its content, its permission bits, and who owns it (None: root)."""

    content: bytes
    mode: int
    owner: int | None = None


def write(directory: Path, files: Mapping[str, File], *, now: datetime, group: int | None = None) -> bool:
    """Make the directory show exactly these files; returns whether anything had to be written.

    Keys are paths below the directory; `group` (the pod's fsGroup) gets everything, and may read it.

    Raises:
        OSError: the files cannot be written; what was there before stays.
    """
    version = _current(directory)
    written = version is None or not _shows(version, files, group)
    if version is None or written:
        version = _write_version(directory, files, now=now, group=group)
        _switch(directory, version)
    _link_names(directory, files)  # also after a death in between
    _remove_others(directory, version)
    return written


def _current(directory: Path) -> Path | None:
    try:
        return directory / os.readlink(directory / DATA)
    except OSError:
        return None


def _shows(version: Path, files: Mapping[str, File], group: int | None) -> bool:
    if not version.is_dir():
        return False
    present = {str(each.relative_to(version)) for each in version.rglob("*") if not each.is_dir()}
    return present == set(files) and all(
        (version / name).read_bytes() == file.content
        and (version / name).stat().st_mode & 0o7777 == _mode(file, group)
        for name, file in files.items()
    )


def _mode(file: File, group: int | None) -> int:
    return file.mode | 0o440 if group is not None else file.mode


def _write_version(directory: Path, files: Mapping[str, File], *, now: datetime, group: int | None) -> Path:
    stamp = now.strftime("..%Y_%m_%d_%H_%M_%S.")
    version = Path(tempfile.mkdtemp(prefix=stamp, dir=directory))
    version.chmod(0o755)
    for name, file in files.items():
        path = version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        if file.owner is not None:
            os.chown(path, file.owner, -1)
    if group is not None:
        ownership.give(directory, group, read_only=True)
    return version


def _switch(directory: Path, version: Path) -> None:
    new = directory / _DATA_NEW
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(version.name)
    new.rename(directory / DATA)


def _remove_others(directory: Path, version: Path) -> None:
    """The version before, and those that were never finished."""
    for each in directory.iterdir():
        if each.name.startswith("..") and each.is_dir() and not each.is_symlink() and each != version:
            shutil.rmtree(each, ignore_errors=True)
    (directory / _DATA_NEW).unlink(missing_ok=True)


def _link_names(directory: Path, files: Mapping[str, File]) -> None:
    """Only the first part of each path is a link; those that are no more wanted go."""
    wanted = {Path(name).parts[0] for name in files}
    for each in directory.iterdir():
        if each.is_symlink() and not each.name.startswith("..") and each.name not in wanted:
            each.unlink()
    for name in wanted:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(Path(DATA) / name)
