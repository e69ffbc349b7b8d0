"""Defaults of a schema, compiled to functions that set them in place.

On the way nulls go that a schema does not allow and has no default for, as upstream drops them before it
sets defaults. What a function returns says whether it changed the value.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

Schema = dict[str, Any]
Defaulter = Callable[[Any], bool]
Source = Callable[[], Any]
"""Makes a fresh copy of a default value."""


def defaulter(schema: Schema) -> Defaulter:
    """The function for values of a schema."""
    return _defaulter(schema) or _nothing


def has_defaults(schema: Schema | None) -> bool:
    if not schema:
        return False
    if schema.get("default") is not None:
        return True
    return any(has_defaults(each) for each in _below(schema))


def _below(schema: Schema) -> Iterator[Schema]:
    yield from (schema.get("properties") or {}).values()
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name]


def copied(value: Any) -> Any:
    """A deep copy of JSON."""
    if type(value) is dict:
        return {key: copied(each) for key, each in value.items()}
    return [copied(each) for each in value] if type(value) is list else value


def _nothing(value: Any) -> bool:
    return False


def _source(schema: Schema) -> Source | None:
    """Where a schema's default comes from; none when there is no default (a null is none)."""
    found = schema.get("default")
    return None if found is None else partial(copied, found)


def _defaulter(schema: Schema) -> Defaulter | None:
    if "items" in schema and isinstance(schema["items"], dict):
        return _list_defaulter(schema["items"])
    properties: dict[str, Schema] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    if properties:
        return _object_defaulter(properties)
    return _map_defaulter(others) if isinstance(others, dict) else None


def _object_defaulter(properties: dict[str, Schema]) -> Defaulter:
    sources = tuple((name, source) for name, each in properties.items() if (source := _source(each)))
    by_name = dict(sources)
    below = tuple((name, found) for name, each in properties.items() if (found := _defaulter(each)))
    not_null = frozenset(name for name, each in properties.items() if not each.get("nullable"))

    def default_object(value: Any) -> bool:
        if type(value) is not dict:
            return False
        changed = False
        if None in value.values():
            changed = _without_nulls(value, not_null, by_name)
        for name, source in sources:
            if name not in value:
                value[name] = source()
                changed = True
        for name, default in below:
            found = value.get(name)
            if found is not None and default(found):
                changed = True
        return changed

    return default_object


def _without_nulls(value: dict[str, Any], not_null: frozenset[str], sources: dict[str, Source]) -> bool:
    """Nulls of fields that cannot be null become the default or go."""
    names = [name for name, item in value.items() if item is None and name in not_null]
    for name in names:
        if name in sources:
            value[name] = sources[name]()
        else:
            del value[name]
    return bool(names)


def _map_defaulter(values: Schema) -> Defaulter:
    default, nullable = _defaulter(values), bool(values.get("nullable"))
    source = _source(values)

    def default_map(value: Any) -> bool:
        if type(value) is not dict:
            return False
        changed = False
        if not nullable and None in value.values():
            changed = _without_nulls(value, frozenset(value), dict.fromkeys(value, source) if source else {})
        if default is not None:
            for item in value.values():
                changed = default(item) or changed
        return changed

    return default_map


def _list_defaulter(items: Schema) -> Defaulter | None:
    default = _defaulter(items)
    source = None if items.get("nullable") else _source(items)
    if default is None and source is None:
        return None

    def default_list(value: Any) -> bool:
        if type(value) is not list:
            return False
        changed = False
        for position, item in enumerate(value):
            if item is None and source is not None:
                value[position] = item = source()
                changed = True
            if default is not None:
                changed = default(item) or changed
        return changed

    return default_list
