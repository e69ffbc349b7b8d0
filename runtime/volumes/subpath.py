"""subPath mounts: one file or directory inside a volume."""

from pathlib import Path, PurePosixPath

from runtime.volumes.errors import VolumeError


def resolve_subpath(volume: Path, subpath: str, volume_name: str) -> Path:
    """The path in the volume, symlinks followed; a directory is made when there is nothing.

    Raises:
        VolumeError: it leads out of the volume or cannot be made.
    """
    if subpath.startswith("/") or ".." in PurePosixPath(subpath).parts:
        raise VolumeError(f'failed to prepare subPath for volumeMount "{volume_name}" of container')
    root = volume.resolve()
    target = (root / subpath).resolve()
    if target != root and root not in target.parents:
        raise VolumeError(f'failed to prepare subPath for volumeMount "{volume_name}" of container')
    try:
        if not target.exists():
            target.mkdir(parents=True)
            target.chmod(volume.stat().st_mode & 0o7777)
    except OSError as error:
        raise VolumeError(f'failed to create subPath directory for volumeMount "{volume_name}"') from error
    return target
