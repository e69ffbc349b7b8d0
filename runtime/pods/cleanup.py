"""Removes a pod's directories, and those of pods that are no more. Mounts in them are taken away before."""

import logging
from collections.abc import Iterator
from pathlib import Path

from runtime.pods.paths import PodPaths
from runtime.volumes.removal import remove_tree

logger = logging.getLogger(__name__)


def remove_directories(paths: PodPaths) -> None:
    for directory in (paths.directory, paths.logs):
        _remove(directory)


def stale_uids(root: Path, known: set[str]) -> Iterator[str]:
    """The uids that have a directory but are not among the known pods."""
    directory = root / "pods"
    if directory.is_dir():
        yield from (each.name for each in directory.iterdir() if each.name not in known)


def remove_stale_logs(root: Path, known: set[str]) -> None:
    directory = root / "logs"
    if directory.is_dir():
        for each in directory.iterdir():
            if each.name.rpartition("_")[2] not in known:
                _remove(each)


def _remove(directory: Path) -> None:
    try:
        remove_tree(directory)
    except OSError as error:
        logger.warning("cannot remove %s: %s", directory, error)
