"""Lists of type set and map hold no item twice: looked for in every list of an object."""

from collections.abc import Callable
from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes
from server.schema.custom.scalars import json_type

Schema = dict[str, Any]
Check = Callable[[Any, str, list[Cause]], None]
"""Takes a value, its path and where to put what is wrong."""


def list_check(schema: Schema) -> Check | None:
    """The check of all lists within a schema; None when it has none of these types."""
    if isinstance(schema.get("items"), dict):
        return _of_list(schema)
    properties: dict[str, Schema] = schema.get("properties") or {}
    fields = [(name, found) for name, each in properties.items() if (found := list_check(each))]
    others = schema.get("additionalProperties")
    beyond = list_check(others) if isinstance(others, dict) and not properties else None
    if fields:
        return _of_fields(fields)
    return _of_map(beyond) if beyond else None


def _of_fields(fields: list[tuple[str, Check]]) -> Check:
    def check(value: Any, path: str, found: list[Cause]) -> None:
        if type(value) is dict:
            for name, each in fields:
                if name in value:
                    each(value[name], f"{path}.{name}" if path else name, found)

    return check


def _of_map(each: Check) -> Check:
    def check(value: Any, path: str, found: list[Cause]) -> None:
        if type(value) is dict:
            for key, item in value.items():
                each(item, f"{path}[{key}]", found)

    return check


def _of_list(schema: Schema) -> Check | None:
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    items = list_check(schema["items"])
    if items is None and kind not in ("set", "map"):
        return None

    def check(value: Any, path: str, found: list[Cause]) -> None:
        if type(value) is not list:
            return
        if kind == "set":
            found.extend(causes.duplicate(f"{path}[{at}]", value[at]) for at in _repeated(value))
        elif kind == "map":
            found.extend(_map_causes(value, path, keys))
        if items is not None:
            for position, item in enumerate(value):
                items(item, f"{path}[{position}]", found)

    return check


def _map_causes(value: list[Any], path: str, keys: tuple[str, ...]) -> list[Cause]:
    for position, item in enumerate(value):
        if item is not None and type(item) is not dict:
            detail = "must be an object for an array of list-type map"
            return [causes.invalid(f"{path}[{position}]", item, detail)]
    if len(value) <= 1:
        return []
    found = [{key: item[key] for key in keys if key in item} if item else {} for item in value]
    return [causes.duplicate(f"{path}[{at}]", found[at]) for at in _repeated(found)]


def _repeated(values: list[Any]) -> list[int]:
    """Where a value stands for the second time; not for the third."""
    if len(values) <= 1:
        return []
    times: dict[Any, int] = {}
    repeated = []
    for position, value in enumerate(values):
        key = (json_type(value), frozen(value))
        times[key] = times.get(key, 0) + 1
        if times[key] == 2:
            repeated.append(position)
    return repeated


def frozen(value: Any) -> Any:
    """Something that can be put into a set and is equal for equal JSON."""
    if type(value) is dict:
        return frozenset((key, type(each).__name__, frozen(each)) for key, each in value.items())
    return tuple((type(each).__name__, frozen(each)) for each in value) if type(value) is list else value
