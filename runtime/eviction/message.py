"""What is said of an eviction: the pod's message, the event's annotations. Texts are the kubelet's. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from kubeling.objects import quantity
from kubeling.objects.meta import Object, name
from runtime.eviction.ranking import container_request
from runtime.eviction.signals import MEMORY, STORAGE, Observation, Observations
from runtime.eviction.thresholds import Threshold
from runtime.stats.size_text import size_text
from runtime.stats.usage import ContainerUsage, PodUsage

REASON = "Evicted"


@dataclass(frozen=True, slots=True)
class Eviction:
    """`grace` is in seconds, None for the pod's own; `disruption` says that the pod is not to blame."""

    signal: str
    """What called for it: an eviction signal, or one of the limits of a pod's own."""
    message: str
    grace: float | None
    disruption: bool = False
    annotations: dict[str, str] = field(default_factory=dict)


def pressure_message(
    resource: str,
    pod: Object,
    usage: PodUsage | None,
    thresholds: Iterable[Threshold],
    seen: Observations,
) -> tuple[str, dict[str, str]]:
    """The message and the event's annotations for a pod that the node's shortage costs its life."""
    message = f"The node was low on resource: {resource}. " + _threshold(resource, thresholds, seen)
    if usage is None:
        return message, {}
    annotations: dict[str, str] = {}
    requested = ((pod.get("spec") or {}).get("resources") or {}).get("requests") or {}
    if resource == MEMORY and resource in requested and usage.memory is not None:
        used = _bytes(usage.memory.working_set)
        message += _consumption("Pod", name(pod), used, quantity.canonical(requested[resource]), resource)
        annotations |= {"offending_pod": name(pod), "offending_pod_usage": used}
    offending = list(_offending(resource, pod, usage))
    message += "".join(_consumption("Container", *each, resource) for each in offending)
    return message, annotations | {
        "offending_containers": ",".join(container for container, _, _ in offending),
        "offending_containers_usage": ",".join(used for _, used, _ in offending),
        "starved_resource": resource,
    }


def shortage_message(threshold: Threshold, seen: Observation) -> str:
    """What the node lacks, in numbers, and where its limits are set."""
    text = size_text if threshold.resource in (MEMORY, STORAGE) else str
    share = seen.available * 100 // max(seen.capacity, 1)
    kind = "evictionHard" if threshold.hard else "evictionSoft"
    return (
        f"{threshold.signal} is {text(seen.available)} of {text(seen.capacity)} ({share}%), "
        f"below the threshold of {threshold.amount.text}: pods may be refused or evicted. "
        f"The threshold is {kind} in kubelet.yaml."
    )


def empty_dir_message(volume: str, limit: str) -> str:
    return f'Usage of EmptyDir volume "{volume}" exceeds the limit "{quantity.canonical(limit)}". '


def container_message(container: str, limit: str) -> str:
    limit = quantity.canonical(limit)
    return f'Container {container} exceeded its local ephemeral storage limit "{limit}". '


def pod_message(limit: str) -> str:
    limit = quantity.canonical(limit)
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "


def _threshold(resource: str, thresholds: Iterable[Threshold], seen: Observations) -> str:
    for each in thresholds:
        if each.resource == resource and each.signal in seen:
            observed = seen[each.signal]
            form = "binary" if resource in (MEMORY, STORAGE) else "decimal"
            available = quantity.format_quantity(Decimal(observed.available), form)
            return f"Threshold quantity: {each.amount.of(observed.capacity)}, available: {available}. "
    return ""


def _offending(resource: str, pod: Object, usage: PodUsage) -> Iterator[tuple[str, str, str]]:
    """Name, usage and request of each container that uses more than it asked for."""
    spec = pod.get("spec") or {}
    containers = {
        each["name"]: each for each in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    }
    for each in usage.containers:
        used, container = _used(resource, each), containers.get(each.name)
        if used is None or container is None or used <= container_request(container, resource):
            continue
        requested = ((container.get("resources") or {}).get("requests") or {}).get(resource, "0")
        yield each.name, _bytes(used), quantity.canonical(requested)


def _used(resource: str, container: ContainerUsage) -> int | None:
    if resource == MEMORY:
        return None if container.memory is None else container.memory.working_set
    if resource != STORAGE or container.rootfs is None or container.logs is None:
        return None
    return (container.rootfs.used or 0) + (container.logs.used or 0)


def _consumption(what: str, named: str, used: str, requested: str, resource: str) -> str:
    return f"{what} {named} was using {used}, request is {requested}, has larger consumption of {resource}. "


def _bytes(amount: int) -> str:
    return quantity.format_quantity(Decimal(amount), "binary")
