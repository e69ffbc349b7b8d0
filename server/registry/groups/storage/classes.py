"""StorageClasses and VolumeAttributesClasses: what provisioners are asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_value_errors, qualified_name_errors
from server.registry.causes import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    invalids,
    not_supported,
    required,
    too_long,
)
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.pod_warnings import NODE_LABELS
from server.registry.strategy import Strategy

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
OLD_DEFAULT_CLASS = "storageclass.beta.kubernetes.io/is-default-class"
_POLICIES, _MODES = ("Delete", "Retain"), ("Immediate", "WaitForFirstConsumer")
_MOST_PARAMETERS, _LARGEST_PARAMETERS = 512, 256 * 1024


def is_default(obj: Object) -> bool:
    """Whether claims that name no class get this one."""
    noted = meta.annotations(obj)
    return noted.get(DEFAULT_CLASS) == "true" or noted.get(OLD_DEFAULT_CLASS) == "true"


class StorageClasses(Strategy):
    returns_deleted = True
    columns = columns("Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", AGE)

    def default(self, obj: Object) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def validate(self, obj: Object) -> list[Cause]:
        causes = _provisioner_causes("provisioner", obj.get("provisioner") or "")
        causes += _parameter_causes(obj.get("parameters") or {})
        if (policy := obj["reclaimPolicy"]) and policy not in _POLICIES:
            causes.append(not_supported("reclaimPolicy", policy, _POLICIES))
        if (mode := obj["volumeBindingMode"]) not in _MODES:
            causes.append(not_supported("volumeBindingMode", mode, _MODES))
        return causes + _topology_causes(obj.get("allowedTopologies") or [])

    def warnings(self, obj: Object) -> list[str]:
        return [
            f"allowedTopologies[{position}].matchLabelExpressions[{number}].key: {NODE_LABELS[key]}"
            for position, term in enumerate(obj.get("allowedTopologies") or ())
            for number, each in enumerate(term.get("matchLabelExpressions") or ())
            if (key := each.get("key", "")) in NODE_LABELS
        ]

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        causes = _fixed_causes(obj, old, "parameters", "provisioner", "reclaimPolicy")
        if obj.get("volumeBindingMode") != old.get("volumeBindingMode"):
            causes.append(immutable("volumeBindingMode", obj.get("volumeBindingMode")))
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        name = meta.name(obj)
        return [
            f"{name} (default)" if is_default(obj) else name,
            obj.get("provisioner", ""),
            obj.get("reclaimPolicy", "Delete"),
            obj.get("volumeBindingMode", "Immediate"),
            bool(obj.get("allowVolumeExpansion")),
            object_age(obj, now),
        ]


class AttributesClasses(Strategy):
    returns_deleted = True
    columns = columns("DriverName", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        parameters = obj.get("parameters") or {}
        causes = _provisioner_causes("driverName", obj.get("driverName") or "")
        causes += _parameter_causes(parameters)
        if not parameters:
            causes.append(required("parameters", "must contain at least one key/value pair"))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return _fixed_causes(obj, old, "driverName", "parameters")

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), obj.get("driverName", ""), object_age(obj, now)]


def _fixed_causes(obj: Object, old: Object, *names: str) -> list[Cause]:
    return [
        forbidden(name, f"updates to {name} are forbidden.")
        for name in names
        if (obj.get(name) or None) != (old.get(name) or None)
    ]


def _provisioner_causes(field: str, name: str) -> list[Cause]:
    return invalids(field, name.lower(), qualified_name_errors(name.lower())) if name else [required(field)]


def _parameter_causes(parameters: Mapping[str, str]) -> list[Cause]:
    field = "parameters"
    if len(parameters) > _MOST_PARAMETERS:
        return [too_long(field, _MOST_PARAMETERS)]
    causes = [invalid(field, "", "field can not be empty.")] if "" in parameters else []
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    return [*causes, too_long(field, _LARGEST_PARAMETERS)] if size > _LARGEST_PARAMETERS else causes


def _topology_causes(terms: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    seen: list[Mapping[str, set[str]]] = []
    for position, term in enumerate(terms):
        field, found = f"allowedTopologies[{position}].matchLabelExpressions", dict[str, set[str]]()
        for number, each in enumerate(term.get("matchLabelExpressions") or ()):
            causes += _expression_causes(f"{field}[{number}]", each, found)
        if found in seen:
            causes.append(duplicate(field, ""))
        seen.append(found)
    return causes


def _expression_causes(field: str, each: Object, found: dict[str, set[str]]) -> list[Cause]:
    key, values = each.get("key", ""), each.get("values") or []
    causes = invalids(f"{field}.key", key, qualified_name_errors(key))
    if not values:
        causes.append(required(f"{field}.values"))
    distinct: set[str] = set()
    for position, value in enumerate(values):
        where = f"{field}.values[{position}]"
        causes += [duplicate(where, value)] if value in distinct else []
        causes += invalids(where, value, label_value_errors(value))
        distinct.add(value)
    if key in found:
        causes.append(duplicate(f"{field}.key", key))
    found[key] = distinct
    return causes
