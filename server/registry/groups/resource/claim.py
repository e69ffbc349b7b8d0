"""ResourceClaims, their templates, and what they have in common: the devices that are asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.causes import forbidden, immutable, invalid, invalids, not_supported, required
from server.registry.columns import AGE, NAME_AND_AGE, columns, name_and_age, object_age
from server.registry.groups.resource.names import (
    by_name,
    configuration_causes,
    distinct,
    items,
    label_causes,
    pool_causes,
    qualified_causes,
    raw_causes,
    toleration_causes,
)
from server.registry.groups.resource.selectors import selector_causes
from server.registry.groups.storage.csi import driver_name_causes
from server.registry.strategy import Strategy

_MOST, _MOST_ALTERNATIVES, _MOST_CONSUMERS, _MOST_TOLERATIONS = 32, 8, 256, 16
_MODES, _SOURCES = ("All", "ExactCount"), ("FromClaim", "FromClass")
_UNION = "exactly one of `exactly` or `firstAvailable` is required"
_REFERENCE = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)

Names = Mapping[str, set[str]]
"""The names of a claim's requests, each with those of its subrequests."""


def default_devices(spec: Object) -> None:
    for request in (spec.get("devices") or {}).get("requests") or ():
        wanted = [request["exactly"]] if request.get("exactly") is not None else []
        for each in (*wanted, *(request.get("firstAvailable") or ())):
            if not each.get("allocationMode"):
                each["allocationMode"] = "ExactCount"
            if each["allocationMode"] == "ExactCount" and not each.get("count"):
                each["count"] = 1
            for toleration in each.get("tolerations") or ():
                if not toleration.get("operator"):
                    toleration["operator"] = "Equal"


class Claims(Strategy):
    columns = columns("State", AGE)

    def default(self, obj: Object) -> None:
        default_devices(obj.setdefault("spec", {}))

    def validate_create(self, obj: Object) -> list[Cause]:
        return device_causes("spec.devices", obj["spec"].get("devices") or {})

    def validate(self, obj: Object) -> list[Cause]:
        return []

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return _fixed_spec(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return _status_causes(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), _state(obj), object_age(obj, now)]


class ClaimTemplates(Strategy):
    columns = NAME_AND_AGE

    def default(self, obj: Object) -> None:
        default_devices(obj.setdefault("spec", {}).setdefault("spec", {}))

    def validate_create(self, obj: Object) -> list[Cause]:
        return device_causes("spec.spec.devices", obj["spec"]["spec"].get("devices") or {})

    def validate(self, obj: Object) -> list[Cause]:
        return []

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return _fixed_spec(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return name_and_age(obj, now)


def _fixed_spec(obj: Object, old: Object) -> list[Cause]:
    return [] if obj.get("spec") == old.get("spec") else [immutable("spec", obj.get("spec"))]


def _state(obj: Object) -> str:
    state = obj.get("status") or {}
    found = ["deleted"] if meta.is_terminating(obj) else []
    if state.get("allocation"):
        found.append("allocated")
        found += ["reserved"] if state.get("reservedFor") else []
    return ",".join(found) or "pending"


def device_causes(field: str, devices: Object) -> list[Cause]:
    names = _names(devices)
    requests = devices.get("requests") or []
    causes = distinct(f"{field}.requests", requests, _MOST, _request_causes, by_name)
    causes += items(
        f"{field}.constraints",
        devices.get("constraints") or [],
        _MOST,
        lambda where, each: _constraint_causes(where, each, names),
    )
    return causes + items(
        f"{field}.config",
        devices.get("config") or [],
        _MOST,
        lambda where, each: [
            *_reference_list_causes(f"{where}.requests", each, names),
            *configuration_causes(where, each),
        ],
    )


def _names(devices: Object) -> Names:
    return {
        by_name(request): {by_name(each) for each in request.get("firstAvailable") or ()}
        for request in devices.get("requests") or ()
    }


def _request_causes(field: str, request: Object) -> list[Cause]:
    causes = label_causes(f"{field}.name", by_name(request))
    exactly, first = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is None and not first:
        return [*causes, required(field, _UNION)]
    if exactly is not None and first:
        return [*causes, invalid(field, None, f"{_UNION}, but multiple fields are set")]
    if exactly is not None:
        return causes + _wanted_causes(f"{field}.exactly", exactly)
    where = f"{field}.firstAvailable"
    return causes + distinct(where, first, _MOST_ALTERNATIVES, _alternative_causes, by_name)


def _alternative_causes(field: str, each: Object) -> list[Cause]:
    return label_causes(f"{field}.name", by_name(each)) + _wanted_causes(field, each)


def _wanted_causes(field: str, each: Object) -> list[Cause]:
    name = each.get("deviceClassName") or ""
    where = f"{field}.deviceClassName"
    causes = invalids(where, name, subdomain_errors(name)) if name else [required(where)]
    causes += items(f"{field}.selectors", each.get("selectors") or [], _MOST, selector_causes)
    mode, count = each.get("allocationMode") or "", each.get("count") or 0
    if mode not in _MODES:
        causes.append(not_supported(f"{field}.allocationMode", mode, _MODES))
    elif mode == "All" and count:
        why = "must not be specified when allocationMode is 'All'"
        causes.append(invalid(f"{field}.count", count, why))
    elif mode == "ExactCount" and count <= 0:
        causes.append(invalid(f"{field}.count", count, "must be greater than zero"))
    return causes + items(
        f"{field}.tolerations", each.get("tolerations") or [], _MOST_TOLERATIONS, toleration_causes
    )


def _constraint_causes(field: str, each: Object, names: Names) -> list[Cause]:
    causes = _reference_list_causes(f"{field}.requests", each, names)
    for name in ("matchAttribute", "distinctAttribute"):
        if (attribute := each.get(name)) is not None:
            return causes + qualified_causes(f"{field}.{name}", attribute, with_domain=True)
    why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*causes, required(field, why)]


def _reference_list_causes(field: str, each: Object, names: Names) -> list[Cause]:
    given = each.get("requests") or []
    return distinct(field, given, _MOST, lambda where, name: _reference_causes(where, name, names), str)


def _reference_causes(field: str, name: str, names: Names) -> list[Cause]:
    parts = name.split("/")
    if len(parts) > 2:
        return [invalid(field, name, _REFERENCE)]
    causes = [cause for part in parts for cause in label_causes(field, part)]
    known = parts[0] in names and (len(parts) == 1 or parts[1] in names[parts[0]])
    return causes if known else [*causes, invalid(field, name, _REFERENCE)]


def _status_causes(obj: Object, old: Object) -> list[Cause]:
    new, before = obj.get("status") or {}, old.get("status") or {}
    reserved, allocation = new.get("reservedFor") or [], new.get("allocation")
    field = "status.reservedFor"
    causes = distinct(field, reserved, _MOST_CONSUMERS, _consumer_causes, lambda each: each.get("uid"))
    causes += items(
        "status.devices",
        new.get("devices") or [],
        -1,
        lambda where, each: _device_status_causes(where, each, allocation or {}),
    )
    if reserved and allocation is None:
        causes.append(forbidden(field, "may not be specified when `allocated` is not set"))
    elif meta.is_terminating(obj) and any(each not in (before.get("reservedFor") or ()) for each in reserved):
        why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        causes.append(forbidden(field, why))
    if allocation is not None and before.get("allocation") is not None:
        same = allocation == before["allocation"]
        return causes if same else [*causes, immutable("status.allocation", allocation)]
    if allocation is not None:
        names = _names((obj.get("spec") or {}).get("devices") or {})
        causes += _allocation_causes("status.allocation.devices", allocation.get("devices") or {}, names)
    return causes


def _consumer_causes(field: str, each: Object) -> list[Cause]:
    return [required(f"{field}.{name}") for name in ("resource", "name", "uid") if not each.get(name)]


def _place_causes(field: str, each: Object) -> list[Cause]:
    return [
        *driver_name_causes(f"{field}.driver", each.get("driver") or ""),
        *pool_causes(f"{field}.pool", each.get("pool") or ""),
        *label_causes(f"{field}.device", each.get("device") or ""),
    ]


def _device_status_causes(field: str, each: Object, allocation: Object) -> list[Cause]:
    causes = _place_causes(field, each)
    allocated = [_identity(found) for found in (allocation.get("devices") or {}).get("results") or ()]
    if _identity(each) not in allocated:
        shown = "/".join(_identity(each)[:3])
        causes.append(invalid(field, shown, "must be an allocated device in the claim"))
    return causes + (raw_causes(f"{field}.data", each["data"]) if each.get("data") is not None else [])


def _identity(each: Object) -> tuple[str, str, str, str]:
    driver, pool, device, share = (each.get(name) or "" for name in ("driver", "pool", "device", "shareID"))
    return driver, pool, device, share


def _allocation_causes(field: str, allocation: Object, names: Names) -> list[Cause]:
    causes = items(
        f"{field}.results",
        allocation.get("results") or [],
        _MOST,
        lambda where, each: [
            *_reference_causes(f"{where}.request", each.get("request") or "", names),
            *_place_causes(where, each),
        ],
    )
    return causes + items(
        f"{field}.config",
        allocation.get("config") or [],
        2 * _MOST,
        lambda where, each: _source_causes(where, each, names),
    )


def _source_causes(field: str, each: Object, names: Names) -> list[Cause]:
    source, causes = each.get("source") or "", []
    if not source:
        causes.append(required(f"{field}.source"))
    elif source not in _SOURCES:
        causes.append(not_supported(f"{field}.source", source, _SOURCES))
    causes += _reference_list_causes(f"{field}.requests", each, names)
    return causes + configuration_causes(field, each)
