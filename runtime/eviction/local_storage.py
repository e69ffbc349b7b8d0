"""Pods that take more of the node's disk than their own limits allow. Pure; the rules are the kubelet's."""

from collections.abc import Iterator
from typing import NamedTuple

from kubeling.objects import quantity
from kubeling.objects.meta import Object
from runtime.eviction.message import container_message, empty_dir_message, pod_message
from runtime.eviction.signals import STORAGE
from runtime.pods.containers.kinds import is_sidecar
from runtime.stats.usage import FileSystem, PodUsage


class Excess(NamedTuple):
    """The limit's name, as the kubelet's metrics have it, and the pod's message."""

    limit: str
    message: str


def is_limited(pod: Object) -> bool:
    """Whether there is anything to be measured about it."""
    spec = pod.get("spec") or {}
    return any(True for _ in _size_limits(pod)) or any(
        STORAGE in _limits(each)
        for each in [spec, *(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    )


def excess(usage: PodUsage, *, separate_images: bool) -> Excess | None:
    """What the pod exceeds; None when it keeps within its limits."""
    pod = usage.pod
    return (
        _volume_excess(pod, usage)
        or _pod_excess(pod, usage)
        or _container_excess(pod, usage, separate_images)
    )


def _volume_excess(pod: Object, usage: PodUsage) -> Excess | None:
    used = {each.name: _used(each.usage) for each in usage.volumes}
    for volume, limit in _size_limits(pod):
        if used.get(volume, 0) > quantity.parse(limit):
            return Excess("emptydirfs.limit", empty_dir_message(volume, limit))
    return None


def _pod_excess(pod: Object, usage: PodUsage) -> Excess | None:
    limit = _pod_limit(pod)
    if limit is not None and _used(usage.ephemeral_storage) > quantity.parse(limit):
        return Excess("ephemeralpodfs.limit", pod_message(limit))
    return None


def _container_excess(pod: Object, usage: PodUsage, separate_images: bool) -> Excess | None:
    """A writable layer that lies on another disk than the node's does not count."""
    containers = {each["name"]: each for each in (pod.get("spec") or {}).get("containers") or []}
    for each in usage.containers:
        limit = _limits(containers.get(each.name) or {}).get(STORAGE)
        used = _used(each.logs) + (0 if separate_images else _used(each.rootfs))
        if limit is not None and quantity.parse(limit) and used > quantity.parse(limit):
            return Excess("ephemeralcontainerfs.limit", container_message(each.name, limit))
    return None


def _pod_limit(pod: Object) -> str | None:
    """The sum of its containers' limits, where any has one."""
    spec = pod.get("spec") or {}
    own = _limits(spec).get(STORAGE)
    containers, init = spec.get("containers") or [], spec.get("initContainers") or []
    if own is not None or not any(STORAGE in _limits(each) for each in [*containers, *init]):
        return own
    beside: list[str] = []
    sums = []
    for each in init:
        sums.append(quantity.total([*beside, _limit(each)]))
        beside += [_limit(each)] if is_sidecar(each) else []
    sums.append(quantity.total([*beside, *map(_limit, containers)]))
    largest = max(sums, key=quantity.parse)
    overhead = (spec.get("overhead") or {}).get(STORAGE)
    return quantity.add(largest, overhead) if overhead else largest


def _size_limits(pod: Object) -> Iterator[tuple[str, str]]:
    """Name and limit of each emptyDir that has one."""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        limit = (volume.get("emptyDir") or {}).get("sizeLimit")
        if limit is not None and quantity.parse(limit) > 0:
            yield volume["name"], str(limit)


def _limit(container: Object) -> str:
    return str(_limits(container).get(STORAGE, "0"))


def _limits(holder: Object) -> Object:
    limits: Object = (holder.get("resources") or {}).get("limits") or {}
    return limits


def _used(disk: FileSystem | None) -> int:
    return (disk.used or 0) if disk is not None else 0
