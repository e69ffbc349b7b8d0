"""The node's directory of pods as a place of mounts: made ready at the start, cleared at the node's end."""

import logging
from pathlib import Path

from runtime.volumes import mount

logger = logging.getLogger(__name__)


def begin(root: Path) -> None:
    """Mounts in volumes can be passed on, from and to containers, only where the pods' mount is shared."""
    directory = root / "pods"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        mount.share(directory)
    except OSError as error:
        logger.warning("mounts in %s are not passed on to containers: %s", directory, error)


def end(root: Path) -> None:
    """Unmount whatever is mounted in pods' directories."""
    for directory in (root / "pods", root / "plugins"):
        try:
            mount.unmount_below(directory)
        except OSError as error:
            logger.warning("%s stays mounted: %s", error.filename or directory, error.strerror)
