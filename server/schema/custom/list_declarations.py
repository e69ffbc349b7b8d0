"""What a schema may say of the type of a list, and of the keys that tell its items apart."""

from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes

Schema = dict[str, Any]

_KINDS = ("atomic", "set", "map")
_TYPE, _KEYS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys"
_ATOMIC = "must be atomic as item of a list with x-kubernetes-list-type=set"
_IS_KEY = "this property is in x-kubernetes-list-map-keys, so it"


def list_causes(schema: Schema, path: str) -> list[Cause]:
    """What is wrong with the list type of one schema."""
    kind, keys = schema.get(_TYPE), schema.get(_KEYS) or []
    declared, where = schema.get("type", ""), f"{path}.{_TYPE}"
    items = schema.get("items")
    found: list[Cause] = []
    if kind is not None and declared != "array":
        detail = f"must be array if {_TYPE} is specified"
        at = f"{path}.type"
        found.append(causes.invalid(at, declared, detail) if declared else causes.required(at, detail))
    elif kind == "set" and isinstance(items, dict):
        found += _set_items(items, f"{path}.items")
    if kind is not None and kind not in _KINDS:
        found.append(causes.not_supported(where, kind, _KINDS))
    if keys and kind != "map":
        detail = f"must be map if {_KEYS} is non-empty"
        found.append(causes.required(where, detail) if kind is None else causes.invalid(where, kind, detail))
    if kind == "map":
        found += _map_causes(schema, path, keys)
    if kind in ("set", "map") and isinstance(items, dict):
        found += _null_causes(items, f"{path}.items", kind, keys)
    return found


def _set_items(items: Schema, path: str) -> list[Cause]:
    if items.get("type") == "array" and items.get(_TYPE, "atomic") != "atomic":
        return [causes.invalid(f"{path}.{_TYPE}", items[_TYPE], _ATOMIC)]
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        return [causes.invalid(f"{path}.x-kubernetes-map-type", items.get(_TYPE), _ATOMIC)]
    return []


def _map_causes(schema: Schema, path: str, keys: list[str]) -> list[Cause]:
    found: list[Cause] = []
    items = schema.get("items")
    if not keys:
        found.append(causes.required(f"{path}.{_KEYS}", f"must not be empty if {_TYPE} is map"))
    if items is None:
        found.append(causes.required(f"{path}.items", f"must have a schema if {_TYPE} is map"))
    elif not isinstance(items, dict):
        found.append(
            causes.invalid(f"{path}.items", items, f"must only have a single schema if {_TYPE} is map")
        )
    elif items.get("type") != "object":
        detail = f"must be object if parent array's {_TYPE} is map"
        found.append(causes.invalid(f"{path}.items.type", items.get("type", ""), detail))
    else:
        found += _key_causes(items, path, keys)
    return found


def _key_causes(items: Schema, path: str, keys: list[str]) -> list[Cause]:
    found: list[Cause] = []
    properties: dict[str, Schema] = items.get("properties") or {}
    for position, key in enumerate(keys):
        if key not in properties:
            detail = "entries must all be names of item properties"
            found.append(causes.invalid(f"{path}.{_KEYS}", keys, detail))
        elif properties[key].get("type") in ("array", "object"):
            detail = f"must be a scalar type if parent array's {_TYPE} is map"
            where = f"{path}.items.properties[{key}].type"
            found.append(causes.invalid(where, items.get("type", ""), detail))
        if key in keys[:position]:
            found.append(causes.invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries"))
    return found


def _null_causes(items: Schema, path: str, kind: str, keys: list[str]) -> list[Cause]:
    found: list[Cause] = []
    if items.get("nullable"):
        detail = f"cannot be nullable when {_TYPE} is {kind}"
        found.append(causes.forbidden(f"{path}.nullable", detail))
    properties: dict[str, Schema] = items.get("properties") or {}
    for key in keys if kind == "map" else ():
        if key not in properties:
            continue
        where = f"{path}.properties[{key}]"
        if key not in (items.get("required") or ()) and properties[key].get("default") is None:
            detail = f"{_IS_KEY} must have a default or be a required property"
            found.append(causes.required(f"{where}.default", detail))
        if properties[key].get("nullable"):
            found.append(causes.forbidden(f"{where}.nullable", f"{_IS_KEY} cannot be nullable"))
    return found
