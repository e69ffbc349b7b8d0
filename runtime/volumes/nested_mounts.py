"""Places in a volume where other volumes are mounted: made before containers see the volume, read-only."""

from pathlib import Path, PurePosixPath

from kubeling.objects.meta import Object
from runtime.pods.cgroups.qos import all_containers


def make_places(pod: Object, volume_name: str, directory: Path) -> None:
    """A directory for each volume that some container mounts inside its mount of this one.

    Raises:
        OSError: one cannot be made.
    """
    for place in places(pod, volume_name):
        (directory / place).mkdir(parents=True, exist_ok=True)


def places(pod: Object, volume_name: str) -> list[PurePosixPath]:
    """Relative to the volume, the shortest first. Of places one inside the other only the outer is needed."""
    found: set[PurePosixPath] = set()
    for container in all_containers(pod):
        mounts = container.get("volumeMounts") or []
        outer = [each for each in mounts if each["name"] == volume_name and not each.get("subPath")]
        for base in map(_path, outer):
            inner = [path for path in map(_path, mounts) if base in path.parents]
            found.update(path.relative_to(base) for path in inner)
    paths = sorted(found, key=lambda path: len(path.parts))
    return [path for path in paths if ".." not in path.parts and found.isdisjoint(path.parents)]


def _path(mount: Object) -> PurePosixPath:
    return PurePosixPath("/", mount["mountPath"])
