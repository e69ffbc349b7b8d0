"""In which order pods are evicted, by the resource that is short. Pure; the rules are the kubelet's.

First those that use more than they asked for, then those of low priority, then those that exceed by most.
Of a pod whose use is not known nothing can be said: it goes first.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from kubeling.objects import quantity
from kubeling.objects.meta import Object, uid
from runtime.eviction.signals import IMAGE_DISK, IMAGE_INODES, INODES, MEMORY, PIDS
from runtime.pods.cgroups.qos import priority
from runtime.pods.containers.kinds import is_sidecar
from runtime.stats.usage import ContainerUsage, FileSystem, PodUsage

Usage = Mapping[str, PodUsage]
"""By the pod's uid."""
_Key = tuple[float, ...]


def rank(
    pods: Sequence[Object], usage: Usage, *, resource: str, signal: str, separate_images: bool
) -> list[Object]:
    """The pods, the one to be evicted first at the front.

    `separate_images` says that images and writable layers lie on a disk of their own: then it is the layers
    that count for it, and all else for the node's disk.
    """
    by_resource: dict[str, Callable[[Object], _Key]] = {
        MEMORY: lambda pod: _memory_key(pod, usage.get(uid(pod))),
        PIDS: lambda pod: _process_key(pod, usage.get(uid(pod))),
    }
    layers = not separate_images or signal in (IMAGE_DISK, IMAGE_INODES)
    others = not separate_images or not layers
    disk: Callable[[Object], _Key] = lambda pod: _disk_key(  # noqa: E731
        pod, usage.get(uid(pod)), resource, layers=layers, others=others
    )
    return sorted(pods, key=by_resource.get(resource, disk))


def pod_request(pod: Object, resource: str) -> Decimal:
    """What the scheduler counts for the pod."""
    spec = pod.get("spec") or {}
    overhead = quantity.parse((spec.get("overhead") or {}).get(resource, 0))
    own = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    if own is not None:
        return quantity.parse(own) + overhead
    beside, largest = Decimal(0), Decimal(0)
    for container in spec.get("initContainers") or []:
        if is_sidecar(container):
            beside += container_request(container, resource)
            largest = max(largest, beside)
        else:
            largest = max(largest, beside + container_request(container, resource))
    running = sum((container_request(each, resource) for each in spec.get("containers") or []), beside)
    return max(running, largest) + overhead


def container_request(container: Object, resource: str) -> Decimal:
    requests = (container.get("resources") or {}).get("requests") or {}
    return quantity.parse(requests.get(resource, 0))


def _memory_key(pod: Object, usage: PodUsage | None) -> _Key:
    if usage is None:
        return _unknown(pod)
    used = usage.memory.working_set if usage.memory is not None else 0
    return _exceeding(pod, Decimal(used), pod_request(pod, MEMORY))


def _disk_key(pod: Object, usage: PodUsage | None, resource: str, *, layers: bool, others: bool) -> _Key:
    if usage is None:
        return _unknown(pod)
    parts = [disk for each in usage.containers for disk in _disks(each, layers=layers, logs=others)]
    if others:
        parts += [each.usage for each in usage.volumes if each.ephemeral]
    used = sum((_amount(each, resource) for each in parts), 0)
    return _exceeding(pod, Decimal(used), pod_request(pod, resource))


def _disks(container: ContainerUsage, *, layers: bool, logs: bool) -> list[FileSystem | None]:
    return [*([container.rootfs] if layers else []), *([container.logs] if logs else [])]


def _amount(disk: FileSystem | None, resource: str) -> int:
    if disk is None:
        return 0
    return (disk.inodes_used if resource == INODES else disk.used) or 0


def _process_key(pod: Object, usage: PodUsage | None) -> _Key:
    if usage is None:
        return (priority(pod), 0, 0)
    return (priority(pod), 1, -(usage.processes or 0))


def _exceeding(pod: Object, used: Decimal, requested: Decimal) -> _Key:
    return (1 if used > requested else 2, priority(pod), -float(used - requested))


def _unknown(pod: Object) -> _Key:
    return (0, priority(pod), 0)
