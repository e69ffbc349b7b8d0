"""Quality of service: a pod's class, its cgroup's place, and the out-of-memory score of its containers."""

from collections.abc import Iterable
from decimal import Decimal

from kubeling.objects import quantity
from kubeling.objects.meta import Object, uid

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
_COUNTED = ("cpu", "memory")


def all_containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def amounts(container: Object, kind: str) -> dict[str, Decimal]:
    """The container's cpu and memory `requests` or `limits` that are not zero."""
    given = (container.get("resources") or {}).get(kind) or {}
    parsed = {resource: quantity.parse(given[resource]) for resource in _COUNTED if resource in given}
    return {resource: amount for resource, amount in parsed.items() if amount}


def qos_class(pod: Object) -> str:
    """The class that the pod's requests and limits give it, unless its status already fixes one."""
    fixed = (pod.get("status") or {}).get("qosClass")
    return str(fixed) if fixed else computed_class(all_containers(pod))


def computed_class(containers: Iterable[Object]) -> str:
    pairs = [(amounts(container, "requests"), amounts(container, "limits")) for container in containers]
    if not any(requests or limits for requests, limits in pairs):
        return BEST_EFFORT
    guaranteed = all(
        len(limits) == len(_COUNTED) and {**limits, **requests} == limits for requests, limits in pairs
    )
    return GUARANTEED if guaranteed else BURSTABLE


def cgroup_parent(pod: Object) -> str:
    """The pod's cgroup as an absolute path of the cgroupfs driver."""
    quality = qos_class(pod)
    level = "" if quality == GUARANTEED else f"/{quality.lower()}"
    return f"/kubepods{level}/pod{uid(pod)}"


def oom_score_adjustment(pod: Object, container: Object, *, memory_capacity: int) -> int:
    """From -997 (guaranteed) to 1000 (best effort); burstable ones by their share of the node's memory."""
    quality = qos_class(pod)
    if quality == GUARANTEED:
        return -997
    if quality == BEST_EFFORT:
        return 1000
    requests = amounts(container, "requests") or amounts(container, "limits")
    requested = int(requests.get("memory", Decimal(0)))
    score = 1000 - 1000 * requested // max(memory_capacity, 1)
    return min(max(score, 3), 999)
