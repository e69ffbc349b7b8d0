"""Validation of compute resources: requests and limits of containers."""

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors
from server.registry.causes import invalid, invalids, required

_STANDARD = ("cpu", "memory", "ephemeral-storage")


def resource_causes(field: str, resources: Object) -> list[Cause]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    causes: list[Cause] = []
    for name, amount in limits.items():
        causes += _name_causes(f"{field}.limits", name)
        causes += amount_causes(f"{field}.limits.{name}", name, amount)
    for name, amount in requests.items():
        causes += _name_causes(f"{field}.requests", name)
        causes += amount_causes(f"{field}.requests.{name}", name, amount)
        causes += _limit_causes(f"{field}.requests", name, amount, limits.get(name))
    return causes


def _is_native(name: str) -> bool:
    return name in _STANDARD or name.startswith("hugepages-")


def _name_causes(field: str, name: str) -> list[Cause]:
    if errors := qualified_name_errors(name):
        return invalids(f"{field}.{name}" if name else field, name, errors)
    if "/" in name or _is_native(name):
        return []
    where = f"{field}.{name}"
    return [
        invalid(where, name, "must be a standard resource type or fully qualified"),
        invalid(where, name, "must be a standard resource for containers"),
    ]


def amount_causes(field: str, name: str, amount: str) -> list[Cause]:
    """An amount of a resource: not negative, and whole where the resource cannot be divided."""
    parsed = quantity.parse(amount)
    if parsed < 0:
        return [invalid(field, amount, "must be greater than or equal to 0")]
    if not _is_native(name) and parsed != parsed.to_integral_value():
        return [invalid(field, amount, "must be an integer")]
    return []


def _limit_causes(field: str, name: str, request: str, limit: str | None) -> list[Cause]:
    overcommitable = name in _STANDARD
    if limit is None:
        if overcommitable:
            return []
        return [
            required(
                field.replace("requests", "limits"), "Limit must be set for non overcommitable resources"
            )
        ]
    if not overcommitable and quantity.parse(request) != quantity.parse(limit):
        return [invalid(field, request, f"must be equal to {name} limit of {limit}")]
    if quantity.parse(request) > quantity.parse(limit):
        return [invalid(field, request, f"must be less than or equal to {name} limit of {limit}")]
    return []
