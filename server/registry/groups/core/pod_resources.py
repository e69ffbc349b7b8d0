"""Resources of a whole pod: how much its containers ask for together, and validation of what the pod says."""

from collections.abc import Iterable
from decimal import Decimal

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.groups.core.resource_validation import pod_resource_causes

_POD_LEVEL = ("cpu", "memory")
Amounts = dict[str, Decimal]


def _amounts(container: Object, which: str) -> Amounts:
    found = (container.get("resources") or {}).get(which) or {}
    return {name: quantity.parse(amount) for name, amount in found.items()}


def _added(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {**one, **other}}


def _largest(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {**one, **other}}


def aggregated(spec: Object, which: str) -> Amounts:
    """Containers run together; init containers one by one, beside the sidecars that started before them."""
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = _added(total, _amounts(container, which))
    return _with_init_containers(total, spec.get("initContainers") or (), which)


def _with_init_containers(total: Amounts, containers: Iterable[Object], which: str) -> Amounts:
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        own = _amounts(container, which)
        if container.get("restartPolicy") == "Always":
            total, sidecars = _added(total, own), _added(sidecars, own)
            peak = _largest(peak, sidecars)
        else:
            peak = _largest(peak, _added(sidecars, own))
    return _largest(total, peak)


def pod_level_causes(field: str, spec: Object) -> list[Cause]:
    resources = spec.get("resources")
    if resources is None:
        return []
    return pod_resource_causes(field, resources) + _consistency_causes(field, spec, resources)


def _consistency_causes(field: str, spec: Object, resources: Object) -> list[Cause]:
    """The pod asks for at least what its containers ask for; no container may have more than the pod."""
    causes: list[Cause] = []
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, amount in aggregated(spec, "requests").items():
        asked = requests.get(name, "0")
        if is_pod_level(name) and amount > quantity.parse(asked):
            total = quantity.format_quantity(amount, "binary" if name == "memory" else "decimal")
            why = f"must be greater than or equal to aggregate container requests of {total}"
            causes.append(invalid(f"{field}.requests[{name}]", asked, why))
    for position, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and quantity.parse(limit) > quantity.parse(limits[name]):
                where = f"{field}.containers[{position}][{name}].limits"
                why = f"must be less than or equal to pod limits of {limits[name]}"
                causes.append(invalid(where, limit, why))
    return causes


def is_pod_level(name: str) -> bool:
    """Whether a pod as a whole can be given the resource."""
    return name in _POD_LEVEL or name.startswith("hugepages-")
