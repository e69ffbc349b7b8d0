"""emptyDir volumes: a directory for all, on disk, in memory or of huge pages.

Mode and group are given once: what containers make of them after that stays. A mark beside the volume says
that it was done; memory is gone after a reboot, and then comes anew.
"""

import os
from pathlib import Path

from kubeling.objects import pod_resources, quantity
from kubeling.objects.meta import Object
from runtime.volumes import mount, ownership
from runtime.volumes.errors import VolumeError

_MODE = 0o777
_HUGE_PAGES = "HugePages"


def set_up(directory: Path, mark: Path, pod: Object, volume: Object, *, memory: int) -> None:
    """`memory` is what the node has for pods, in bytes: no volume in memory is larger.

    Raises:
        VolumeError: the pod asks for no huge pages, or for several sizes.
        OSError: it cannot be made.
    """
    source = volume["emptyDir"] or {}
    medium = source.get("medium") or ""
    present = directory.is_dir()
    if mark.exists() and present and (not medium or os.path.ismount(directory)):
        return
    directory.mkdir(parents=True, exist_ok=True)
    if os.stat(directory).st_mode & 0o777 != _MODE:
        directory.chmod(_MODE)
    if medium and not os.path.ismount(directory):
        _mount(directory, medium, pod, volume, memory=memory)
    group = ownership.fs_group(pod)
    if group is not None:
        ownership.give(directory, group, read_only=False)
    mark.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    mark.touch()


def _mount(directory: Path, medium: str, pod: Object, volume: Object, *, memory: int) -> None:
    if medium == "Memory":
        mount.mount_tmpfs(directory, size=memory_size(pod, volume["emptyDir"], memory=memory))
    elif medium.startswith(_HUGE_PAGES):
        mount.mount_huge_pages(directory, page_size=page_size(pod, volume))
    else:
        raise VolumeError.set_up(volume["name"], f'unknown storage medium "{medium}"')


def memory_size(pod: Object, source: Object, *, memory: int) -> int | None:
    """Bytes: the least of the volume's limit, the pod's, if all its containers have one, and the node's."""
    size = memory
    for given in (_pod_limit(pod), source.get("sizeLimit")):
        wanted = int(quantity.value(given)) if given else 0
        if wanted > 0 and (not size or wanted <= size):
            size = wanted
    return size or None


def _pod_limit(pod: Object) -> str | None:
    spec = pod.get("spec") or {}
    own = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    limited = all(((each.get("resources") or {}).get("limits") or {}).get("memory") for each in containers)
    return pod_resources.limits(pod).get("memory") if own or (containers and limited) else None


def page_size(pod: Object, volume: Object) -> int:
    """Bytes. The medium names it (HugePages-2Mi), or the pod's containers ask for one size only.

    Raises:
        VolumeError: they do not.
    """
    medium = volume["emptyDir"]["medium"]
    sizes = {
        name.removeprefix("hugepages-")
        for name in pod_resources.requests(pod)
        if name.startswith("hugepages-")
    }
    named = medium.removeprefix(_HUGE_PAGES).removeprefix("-")
    if named:
        if named not in sizes:
            why = f"medium {medium}: size not found in resource requests"
            raise VolumeError.set_up(volume["name"], why)
        return int(quantity.value(named))
    if not sizes:
        why = "hugePages storage requested, but there is no resource request for huge pages."
        raise VolumeError.set_up(volume["name"], why)
    if len(sizes) > 1:
        why = f"medium: {medium} can't be used if container requests multiple huge page sizes"
        raise VolumeError.set_up(volume["name"], why)
    return int(quantity.value(sizes.pop()))
