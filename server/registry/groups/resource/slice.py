"""ResourceSlices: the devices that drivers offer."""

import re
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors, subdomain_errors
from server.registry.causes import duplicate, immutable, invalid, invalids, required, too_long, too_many
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.node_selector_validation import node_selector_causes
from server.registry.groups.resource.capacity import capacity_causes
from server.registry.groups.resource.names import (
    by_name,
    distinct,
    items,
    label_causes,
    pool_causes,
    qualified_causes,
    taint_causes,
)
from server.registry.groups.storage.csi import driver_name_causes
from server.registry.strategy import Scope, Strategy

_MOST_DEVICES, _MOST_ADVANCED, _MOST_COUNTER_SETS, _MOST_COUNTERS = 128, 64, 8, 32
_MOST_ATTRIBUTES, _MOST_TAINTS, _MOST_CONSUMED, _MOST_BINDING = 32, 16, 2, 4
_LONGEST_VALUE = 64
_VALUES = ("bool", "int", "string", "version", "bools", "ints", "strings", "versions")
_NUMBER, _PRE = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)
_NODES = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_DEVICE_NODES = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is"
    " set to true in the ResourceSlice spec"
)
_NOT_PER_DEVICE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in"
    " the ResourceSlice spec"
)


class Slices(Strategy):
    has_generation = True
    selectable = ("spec.nodeName", "spec.driver")
    columns = columns("Node", "Driver", "Pool", AGE)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        _date_taints(obj, scope)

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        _date_taints(obj, scope)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = driver_name_causes("spec.driver", spec.get("driver") or "")
        causes += _pool_causes("spec.pool", spec.get("pool") or {})
        causes += _node_causes(
            "spec", spec, ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"), _NODES
        )
        devices, counters = spec.get("devices") or [], spec.get("sharedCounters") or []
        if devices and counters:
            why = "only one of `sharedCounters` or `devices` is allowed"
            causes.append(invalid("spec", "", why))
        each_node = bool(spec.get("perDeviceNodeSelection"))
        causes += distinct(
            "spec.devices",
            devices,
            _MOST_ADVANCED if _is_advanced(devices) else _MOST_DEVICES,
            lambda field, each: _device_causes(field, each, each_node=each_node),
            by_name,
        )
        return causes + distinct(
            "spec.sharedCounters", counters, _MOST_COUNTER_SETS, _counter_set_causes, by_name
        )

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        new, before = obj.get("spec") or {}, old.get("spec") or {}
        pool, was = ((each.get("pool") or {}).get("name") for each in (new, before))
        causes = [] if pool == was else [immutable("spec.pool.name", pool)]
        return causes + [
            immutable(f"spec.{name}", new.get(name))
            for name in ("driver", "nodeName")
            if new.get(name) != before.get(name)
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        pool = (spec.get("pool") or {}).get("name", "")
        node = spec.get("nodeName") or "<unset>"
        return [meta.name(obj), node, spec.get("driver", ""), pool, object_age(obj, now)]


def _date_taints(obj: Object, scope: Scope) -> None:
    for device in (obj.get("spec") or {}).get("devices") or ():
        for taint in device.get("taints") or ():
            taint.setdefault("timeAdded", meta.timestamp(scope.now))


def _is_advanced(devices: list[Object]) -> bool:
    """Whether a device has taints, consumes counters, or has an attribute of several values."""
    several = ("bools", "ints", "strings", "versions")
    return any(
        each.get("taints")
        or each.get("consumesCounters")
        or any(
            value.get(name) is not None
            for value in (each.get("attributes") or {}).values()
            for name in several
        )
        for each in devices
    )


def _pool_causes(field: str, pool: Object) -> list[Cause]:
    causes = pool_causes(f"{field}.name", pool.get("name") or "")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        causes.append(invalid(f"{field}.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        why = "must be greater than or equal to zero"
        causes.append(invalid(f"{field}.generation", generation, why))
    return causes


def _node_causes(field: str, spec: Object, names: tuple[str, ...], why: str) -> list[Cause]:
    """Exactly one way of saying which nodes have access."""
    causes: list[Cause] = []
    for name in names:
        value = spec.get(name)
        if value is False:
            causes.append(invalid(f"{field}.{name}", value, "must be either unset or set to true"))
        elif value == "":
            causes.append(
                invalid(f"{field}.{name}", value, "must be either unset or set to a non-empty string")
            )
    if node := spec.get("nodeName"):
        causes += invalids(f"{field}.nodeName", node, subdomain_errors(node))
    if (selector := spec.get("nodeSelector")) is not None:
        causes += node_selector_causes(f"{field}.nodeSelector", selector)
    given = [f"`{name}`" for name in names if spec.get(name) not in (None, False, "")]
    if not given:
        causes.append(required(field, why))
    elif len(given) > 1:
        causes.append(invalid(field, f"{{{', '.join(given)}}}", f"{why}, but multiple fields are set"))
    return causes


def _device_causes(field: str, each: Object, *, each_node: bool) -> list[Cause]:
    attributes, capacity = each.get("attributes") or {}, each.get("capacity") or {}
    causes = label_causes(f"{field}.name", by_name(each))
    if (count := len(attributes) + len(capacity)) > _MOST_ATTRIBUTES:
        why = f"the total number of attributes and capacities must not exceed {_MOST_ATTRIBUTES}"
        causes.append(invalid(field, count, why))
    for name, value in attributes.items():
        causes += qualified_causes(f"{field}.attributes", name)
        causes += _attribute_causes(f"{field}.attributes[{name}]", value)
    shared = bool(each.get("allowMultipleAllocations"))
    for name, value in capacity.items():
        causes += qualified_causes(f"{field}.capacity", name)
        causes += capacity_causes(f"{field}.capacity[{name}]", value, shared=shared)
    causes += items(f"{field}.taints", each.get("taints") or [], _MOST_TAINTS, taint_causes)
    consumed = each.get("consumesCounters") or []
    causes += distinct(
        f"{field}.consumesCounters",
        consumed,
        _MOST_CONSUMED,
        _consumption_causes,
        lambda found: found.get("counterSet"),
    )
    names = ("nodeName", "nodeSelector", "allNodes")
    if each_node:
        causes += _node_causes(field, each, names, _DEVICE_NODES)
    elif any(each.get(name) is not None for name in names):
        causes.append(invalid(field, None, _NOT_PER_DEVICE))
    return causes + _binding_causes(field, each)


def _attribute_causes(field: str, value: Object) -> list[Cause]:
    given = [name for name in _VALUES if value.get(name) is not None]
    causes: list[Cause] = []
    for name in ("string", "version"):
        texts = [(f"{field}.{name}", value[name])] if value.get(name) is not None else []
        texts += [(f"{field}.{name}s[{n}]", text) for n, text in enumerate(value.get(f"{name}s") or ())]
        for where, text in texts:
            if name == "version" and not _VERSION.fullmatch(text):
                why = "must be a string compatible with semver.org spec 2.0.0"
                causes.append(invalid(where, text, why))
            if len(text) > _LONGEST_VALUE:
                causes.append(too_long(where, _LONGEST_VALUE))
    if len(given) != 1:
        causes.append(invalid(field, value if given else "", "exactly one value must be specified"))
    return causes


def _counter_set_causes(field: str, each: Object) -> list[Cause]:
    return label_causes(f"{field}.name", by_name(each)) + _counter_causes(f"{field}.counters", each)


def _consumption_causes(field: str, each: Object) -> list[Cause]:
    causes = label_causes(f"{field}.counterSet", each.get("counterSet") or "")
    return causes + _counter_causes(f"{field}.counters", each)


def _counter_causes(field: str, each: Object) -> list[Cause]:
    counters = each.get("counters") or {}
    if not counters:
        return [required(field)]
    if len(counters) > _MOST_COUNTERS:
        return [too_many(field, len(counters), _MOST_COUNTERS)]
    return [cause for name in counters for cause in label_causes(field, name)]


def _binding_causes(field: str, each: Object) -> list[Cause]:
    good, bad = each.get("bindingConditions") or [], each.get("bindingFailureConditions") or []
    causes: list[Cause] = []
    for name, values in (("bindingConditions", good), ("bindingFailureConditions", bad)):
        where = f"{field}.{name}"
        causes += items(
            where, values, _MOST_BINDING, lambda at, text: invalids(at, text, qualified_name_errors(text))
        )
        causes += [duplicate(f"{where}[{n}]", text) for n, text in enumerate(values) if text in values[:n]]
    causes += [
        invalid(
            f"{field}.bindingFailureConditions[{n}]",
            text,
            "bindingFailureConditions must not overlap with bindingConditions",
        )
        for n, text in enumerate(bad)
        if text in good
    ]
    if bad and not good:
        why = "bindingConditions are required to use bindingFailureConditions"
        causes.append(invalid(f"{field}.bindingConditions", good, why))
    if good and not bad:
        why = "bindingFailureConditions are required to use bindingConditions"
        causes.append(invalid(f"{field}.bindingFailureConditions", bad, why))
    return causes
