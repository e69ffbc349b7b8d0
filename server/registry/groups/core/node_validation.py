"""Validation of Nodes."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_value_errors, qualified_name_errors
from server.registry.causes import choice, duplicate, forbidden, invalid, invalids
from server.registry.groups.core.resource_validation import amount_causes
from server.registry.groups.core.scheduling_validation import EFFECTS
from server.registry.groups.ip_validation import cidr_errors

_ONLY_ONCE = 'node updates may not change {} except from "" to valid'


def node_causes(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _taint_causes("metadata.taints", spec.get("taints") or [])
    causes += _resource_causes(obj)
    ranges, field = spec.get("podCIDRs") or [], "spec.podCIDRs"
    for position, each in enumerate(ranges):
        causes += invalids(f"{field}[{position}]", each, cidr_errors(each))
    if len(ranges) > 1:
        versions = {":" in each for each in ranges}
        if len(ranges) > 2 or len(versions) == 1:
            why = "may specify no more than one CIDR for each IP family"
            causes.append(invalid(field, ranges, why))
        for position, each in enumerate(ranges):
            causes += [duplicate(f"{field}[{position}]", each)] if each in ranges[:position] else []
    return causes


def _taint_causes(field: str, taints: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for position, taint in enumerate(taints):
        where, key = f"{field}[{position}]", taint.get("key", "")
        value, effect = taint.get("value", ""), taint.get("effect", "")
        causes += invalids(f"{where}.key", key, qualified_name_errors(key))
        if errors := label_value_errors(value):
            causes.append(invalid(f"{where}.value", value, ";".join(errors)))
        causes += choice(f"{where}.effect", effect, EFFECTS)
        if (key, effect) in seen:
            causes.append(duplicate(where, taint, "taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return causes


def _resource_causes(obj: Object) -> list[Cause]:
    status = obj.get("status") or {}
    causes: list[Cause] = []
    for part in ("capacity", "allocatable"):
        for name, amount in (status.get(part) or {}).items():
            causes += amount_causes(f"status.{part}.{name}", name, amount)
    return causes


def node_update_causes(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    causes: list[Cause] = []
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        causes.append(forbidden("spec.podCIDRs", _ONLY_ONCE.format("podCIDR")))
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        causes.append(forbidden("spec.providerID", _ONLY_ONCE.format("providerID")))
    if spec.get("externalID", "") != before.get("externalID", ""):
        causes.append(forbidden("spec.externalID", "may not be updated"))
    return causes


def node_status_causes(obj: Object) -> list[Cause]:
    causes = _resource_causes(obj)
    addresses = (obj.get("status") or {}).get("addresses") or []
    return causes + [
        duplicate(f"status.addresses[{position}]", each)
        for position, each in enumerate(addresses)
        if each in addresses[:position]
    ]
