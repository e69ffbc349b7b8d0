"""CSIDrivers, CSINodes and CSIStorageCapacities: what volume drivers say of themselves."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta, quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors, subdomain_errors
from server.registry.causes import (
    at_least,
    duplicate,
    immutable,
    invalid,
    invalids,
    not_supported,
    required,
)
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.pod_warnings import NODE_LABELS
from server.registry.strategy import Strategy

_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_MODES = ("Persistent", "Ephemeral")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32
_SHORTEST_PERIOD = 10
_LONGEST_NODE_ID = 256


def driver_name_causes(field: str, name: str) -> list[Cause]:
    if not name:
        return [required(field)]
    causes = [] if len(name) <= 63 else [invalid(field, name, "must be no more than 63 characters")]
    return causes + invalids(field, name, subdomain_errors(name.lower()))


class Drivers(Strategy):
    has_generation = True
    returns_deleted = True
    unconditional_update = False
    columns = columns(
        Column("AttachRequired", "boolean"),
        Column("PodInfoOnMount", "boolean"),
        Column("StorageCapacity", "boolean"),
        "TokenRequests",
        Column("RequiresRepublish", "boolean"),
        "Modes",
        AGE,
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("attachRequired", True)
        spec.setdefault("podInfoOnMount", False)
        spec.setdefault("storageCapacity", False)
        spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
        spec.setdefault("volumeLifecycleModes", ["Persistent"])
        spec.setdefault("requiresRepublish", False)
        spec.setdefault("seLinuxMount", False)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes: list[Cause] = []
        if (policy := spec["fsGroupPolicy"]) not in _GROUP_POLICIES:
            causes.append(not_supported("spec.fsGroupPolicy", policy, _GROUP_POLICIES))
        causes += _token_causes(spec.get("tokenRequests") or [])
        causes += [
            not_supported("spec.volumeLifecycleModes", mode, _MODES)
            for mode in spec.get("volumeLifecycleModes") or ()
            if mode not in _MODES
        ]
        period = spec.get("nodeAllocatableUpdatePeriodSeconds")
        if period is not None and period < _SHORTEST_PERIOD:
            why = "must be greater than or equal to 10 seconds"
            causes.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        shown = {"attachRequired": "attachedRequired"}
        return [
            immutable(f"spec.{shown.get(name, name)}", obj["spec"].get(name))
            for name in ("attachRequired", "volumeLifecycleModes")
            if obj["spec"].get(name) != old["spec"].get(name)
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        requests = [each.get("audience", "") for each in spec.get("tokenRequests") or ()]
        return [
            meta.name(obj),
            spec.get("attachRequired", True),
            bool(spec.get("podInfoOnMount")),
            bool(spec.get("storageCapacity")),
            ",".join(requests) if spec.get("tokenRequests") else "<unset>",
            bool(spec.get("requiresRepublish")),
            ",".join(spec.get("volumeLifecycleModes") or []) or "<none>",
            object_age(obj, now),
        ]


def _token_causes(requests: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    audiences: set[str] = set()
    for position, each in enumerate(requests):
        field, audience = f"spec.tokenRequests[{position}]", each.get("audience", "")
        if audience in audiences:
            causes.append(duplicate(f"{field}.audience", audience))
            continue
        audiences.add(audience)
        seconds = each.get("expirationSeconds")
        if seconds is not None and seconds < _SHORTEST_TOKEN:
            why = "may not specify a duration less than 10 minutes"
            causes.append(invalid(f"{field}.expirationSeconds", seconds, why))
        if seconds is not None and seconds > _LONGEST_TOKEN:
            why = "may not specify a duration larger than 2^32 seconds"
            causes.append(invalid(f"{field}.expirationSeconds", seconds, why))
    return causes


class DriverNodes(Strategy):
    unconditional_update = False
    columns = columns(Column("Drivers", "integer"), AGE)

    def validate(self, obj: Object) -> list[Cause]:
        causes: list[Cause] = []
        names: set[str] = set()
        for position, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
            field, name = f"spec.drivers[{position}]", driver.get("name") or ""
            causes += driver_name_causes(f"{field}.name", name)
            causes += _node_driver_causes(field, driver)
            causes += [duplicate(f"{field}.name", name)] if name in names else []
            names.add(name)
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        """A driver may come, go and say anew how many volumes it can attach; the rest of it stays."""
        before = {each.get("name"): each for each in (old.get("spec") or {}).get("drivers") or ()}
        return [
            immutable("spec.drivers", driver)
            for driver in (obj.get("spec") or {}).get("drivers") or ()
            if driver.get("name") in before and _lasting(driver) != _lasting(before[driver.get("name")])
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        drivers = (obj.get("spec") or {}).get("drivers") or []
        return [meta.name(obj), len(drivers), object_age(obj, now)]


def _lasting(driver: Object) -> Object:
    return {key: value for key, value in driver.items() if key != "allocatable"}


def _node_driver_causes(field: str, driver: Object) -> list[Cause]:
    node = driver.get("nodeID") or ""
    causes = [] if node else [required(f"{field}.nodeID")]
    if len(node) > _LONGEST_NODE_ID:
        causes.append(invalid(f"{field}.nodeID", node, f"must be {_LONGEST_NODE_ID} characters or less"))
    causes += at_least(f"{field}.allocatable.count", (driver.get("allocatable") or {}).get("count"))
    keys: set[str] = set()
    for key in driver.get("topologyKeys") or ():
        causes += [] if key else [required(field)]
        causes += [duplicate(field, key)] if key in keys else []
        causes += invalids(field, key, qualified_name_errors(key))
        keys.add(key)
    return causes


class Capacities(Strategy):
    unconditional_update = False
    columns = columns("StorageClassName", "Capacity")

    def validate(self, obj: Object) -> list[Cause]:
        name = obj.get("storageClassName") or ""
        causes = label_selector_causes("nodeTopology", obj.get("nodeTopology"))
        causes += invalids("storageClassName", name, subdomain_errors(name))
        capacity = obj.get("capacity")
        if capacity is not None and quantity.parse(capacity) < 0:
            causes.append(invalid("capacity", capacity, "must be greater than or equal to 0"))
        return causes

    def warnings(self, obj: Object) -> list[str]:
        field, topology = "nodeTopology", obj.get("nodeTopology") or {}
        found = [
            f"{field}.matchLabels.{key}: {NODE_LABELS[key]}"
            for key in topology.get("matchLabels") or ()
            if key in NODE_LABELS
        ]
        return found + [
            f"{field}.matchExpressions[{position}].key: {NODE_LABELS[key]}"
            for position, each in enumerate(topology.get("matchExpressions") or ())
            if (key := each.get("key", "")) in NODE_LABELS
        ]

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [
            immutable(name, obj.get(name))
            for name in ("nodeTopology", "storageClassName")
            if obj.get(name) != old.get(name)
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        capacity = obj.get("capacity") or "<unset>"
        return [meta.name(obj), obj.get("storageClassName", ""), capacity]
