"""Resources of a whole pod: how much its containers ask for together, and validation of what the pod says."""

from decimal import Decimal

from kubeling.objects import pod_resources, quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.pod_resources import is_pod_level
from server.registry.causes import invalid
from server.registry.groups.core.resource_validation import pod_resource_causes


def aggregated(spec: Object, which: str) -> dict[str, Decimal]:
    """Of all containers together."""
    found = pod_resources.of_containers(spec, which)
    return {name: quantity.parse(amount) for name, amount in found.items()}


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
