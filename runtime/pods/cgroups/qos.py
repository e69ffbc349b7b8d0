"""Quality of service: a pod's class, its cgroup's place, and the out-of-memory score of its containers."""

from collections.abc import Iterable
from decimal import Decimal

from kubeling.objects import pod_resources, quantity
from kubeling.objects.meta import Object, uid
from runtime.pods.identity import is_mirror, is_static

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
KUBEPODS = "/kubepods"
BURSTABLE_PATH, BESTEFFORT_PATH = f"{KUBEPODS}/burstable", f"{KUBEPODS}/besteffort"
_COUNTED = ("cpu", "memory")
_LOWEST_SCORE, _HIGHEST_SCORE = -997, 1000
SYSTEM_CRITICAL = 2_000_000_000
"""Priorities from here on are those of what the cluster cannot do without."""


def all_containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def amounts(holder: Object, kind: str) -> dict[str, Decimal]:
    """The cpu and memory `requests` or `limits` of a container, or of a pod as a whole, that are not zero."""
    given = (holder.get("resources") or {}).get(kind) or {}
    parsed = {resource: quantity.parse(given[resource]) for resource in _COUNTED if resource in given}
    return {resource: amount for resource, amount in parsed.items() if amount}


def qos_class(pod: Object) -> str:
    """The class that the pod's requests and limits give it, unless its status already fixes one."""
    fixed = (pod.get("status") or {}).get("qosClass")
    return str(fixed) if fixed else computed_class(holders(pod))


def holders(pod: Object) -> list[Object]:
    """Whose requests and limits count: the pod's own, when it has any, in the place of its containers'."""
    spec = pod.get("spec") or {}
    return [spec] if pod_resources.has_own(spec) else all_containers(pod)


def computed_class(holders: Iterable[Object]) -> str:
    pairs = [(amounts(each, "requests"), amounts(each, "limits")) for each in holders]
    if not any(requests or limits for requests, limits in pairs):
        return BEST_EFFORT
    guaranteed = all(
        len(limits) == len(_COUNTED) and {**limits, **requests} == limits for requests, limits in pairs
    )
    return GUARANTEED if guaranteed else BURSTABLE


def cgroup_parent(pod: Object) -> str:
    """The pod's cgroup as an absolute path of the cgroupfs driver."""
    level = {BURSTABLE: BURSTABLE_PATH, BEST_EFFORT: BESTEFFORT_PATH}.get(qos_class(pod), KUBEPODS)
    return f"{level}/pod{uid(pod)}"


def is_critical(pod: Object) -> bool:
    """Static pods, their mirrors, and those of the system's priorities."""
    return is_static(pod) or is_mirror(pod) or priority(pod) >= SYSTEM_CRITICAL


def priority(pod: Object) -> int:
    return int((pod.get("spec") or {}).get("priority") or 0)


def oom_score_adjustment(pod: Object, container: Object, *, memory_capacity: int) -> int:
    """From -997 (guaranteed) to 1000 (best effort); burstable ones by their share of the node's memory.

    A sidecar is killed no earlier than the container for which it is there.
    """
    spec, quality = pod.get("spec") or {}, qos_class(pod)
    if quality == GUARANTEED or _is_node_critical(pod):
        return _LOWEST_SCORE
    if quality == BEST_EFFORT:
        return _HIGHEST_SCORE
    share = _unclaimed_share(spec)
    score = _score(_memory(container) + share, memory_capacity)
    if container.get("restartPolicy") == "Always" and container in (spec.get("initContainers") or []):
        least = min((_memory(each) for each in spec.get("containers") or []), default=0)
        score = min(score, _score(least + share, memory_capacity))
    return min(max(score, _HIGHEST_SCORE + _LOWEST_SCORE), _HIGHEST_SCORE - 1)


def _is_node_critical(pod: Object) -> bool:
    return is_critical(pod) and (pod.get("spec") or {}).get("priorityClassName") == "system-node-critical"


def _score(memory: int, capacity: int) -> int:
    return _HIGHEST_SCORE - 1000 * memory // max(capacity, 1)


def _memory(container: Object) -> int:
    return quantity.value(((container.get("resources") or {}).get("requests") or {}).get("memory", 0))


def _unclaimed_share(spec: Object) -> int:
    """What the pod as a whole requests beyond its containers, for each of them, in bytes."""
    own = ((spec.get("resources") or {}).get("requests") or {}).get("memory")
    if own is None:
        return 0
    claimed = quantity.value(pod_resources.of_containers(spec, "requests").get("memory", 0))
    count = len(spec.get("containers") or []) + len(spec.get("initContainers") or [])
    return max(quantity.value(own) - claimed, 0) // max(count, 1)
