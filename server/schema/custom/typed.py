"""A schema in its typed form all the way down.

The definitions leave `items` and `additionalProperties` open, since they hold a schema or something else
(a boolean, a list): what is in them is decoded here.
"""

from functools import cache
from typing import Any

from server.schema.errors import DecodeError
from server.schema.nodes import Path, Struct
from server.schema.types import struct_of

Schema = dict[str, Any]

_SUBSCHEMAS = ("not", "items", "additionalProperties", "additionalItems")
_LISTS = ("allOf", "anyOf", "oneOf")
_MAPS = ("properties", "patternProperties", "definitions")
_DEPTH = 100


def typed(schema: Schema, depth: int = 0) -> Schema:
    """The schema without nulls and unknown fields.

    Raises:
        DecodeError: a value is of the wrong type, or schemas stand within each other too deep.
    """
    if depth > _DEPTH:
        raise DecodeError("schemas are nested too deep")
    unknown: list[Path] = []
    found: Schema = _struct().decode(schema, unknown)
    for name in _SUBSCHEMAS:
        if name in found:
            found[name] = _below(found[name], depth)
    for name in _LISTS:
        if name in found:
            found[name] = [typed(each, depth + 1) for each in found[name]]
    for name in _MAPS:
        if name in found:
            found[name] = {key: typed(each, depth + 1) for key, each in found[name].items()}
    return found


def _below(value: Any, depth: int) -> Any:
    if isinstance(value, list):
        return [typed(each, depth + 1) for each in value]
    return value if isinstance(value, bool) else typed(value, depth + 1)


@cache
def _struct() -> Struct:
    definition = struct_of("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    assert definition is not None
    found: Any = definition
    for name in ("spec", "versions"):
        found = found.fields[name].node
    for name in ("schema", "openAPIV3Schema"):
        found = getattr(found, "items", found).fields[name].node
    assert isinstance(found, Struct)
    return found
