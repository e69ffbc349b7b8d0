"""A pod's own cgroup: the runtime makes it together with the sandbox; nobody but us removes it."""

import logging
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

CGROUP_ROOT = Path("/sys/fs/cgroup")


def remove_pod_cgroup(uid: str, root: Path = CGROUP_ROOT) -> None:
    """Remove what is left of the pod's cgroups in every hierarchy; those still in use stay."""
    for directory in pod_cgroups(uid, root):
        _remove_tree(directory)


def pod_cgroups(uid: str, root: Path = CGROUP_ROOT) -> Iterator[Path]:
    """The pod's directories: one in the unified hierarchy (v2), one for each controller in v1."""
    for hierarchy in _hierarchies(root):
        for level in ("", "burstable", "besteffort"):
            directory = hierarchy / "kubepods" / level / f"pod{uid}"
            if directory.is_dir():
                yield directory


def _hierarchies(root: Path) -> list[Path]:
    if (root / "cgroup.controllers").exists():
        return [root]
    try:
        return [each for each in root.iterdir() if each.is_dir() and not each.is_symlink()]
    except OSError:
        return []


def _remove_tree(directory: Path) -> None:
    """Cgroup directories go with rmdir, the deepest first."""
    try:
        for child in [each for each in directory.iterdir() if each.is_dir()]:
            _remove_tree(child)
        directory.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        logger.debug("cgroup %s stays: %s", directory, error)
