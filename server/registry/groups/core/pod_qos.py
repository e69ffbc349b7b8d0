"""The quality-of-service class of a pod: Guaranteed, Burstable or BestEffort."""

from kubeling.objects import quantity
from kubeling.objects.meta import Object

_COMPUTE = ("cpu", "memory")


def qos_class(spec: Object) -> str:
    """From the pod's own resources when it has them, else from those of its containers."""
    holders = [spec] if spec.get("resources") else [*(spec.get("initContainers") or ()), *spec["containers"]]
    requests = [_compute(holder, "requests") for holder in holders]
    limits = [_compute(holder, "limits") for holder in holders]
    if not any(requests) and not any(limits):
        return "BestEffort"
    complete = all(set(each) == set(_COMPUTE) for each in limits)
    equal = all(not asked or asked == limit for asked, limit in zip(requests, limits, strict=True))
    return "Guaranteed" if complete and equal else "Burstable"


def _compute(holder: Object, which: str) -> dict[str, int]:
    amounts = (holder.get("resources") or {}).get(which) or {}
    parsed = {name: quantity.milli(amounts[name]) for name in _COMPUTE if name in amounts}
    return {name: amount for name, amount in parsed.items() if amount > 0}
