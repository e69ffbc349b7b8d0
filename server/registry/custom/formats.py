"""The formats that a definition's schemas name, but that nobody checks: worth a warning.

What formats mean is in `kubeling.objects.formats`.
"""

from collections.abc import Iterator
from typing import Any

from kubeling.objects.formats import format_check
from kubeling.objects.meta import Object

_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}
_KNOWN = ("quantity",)
"""Formats of texts that are taken for known, and not checked either."""
_SCHEMAS = ("items", "additionalProperties", "not")
_LISTS = ("allOf", "anyOf", "oneOf")
_DEPTH = 100


def unchecked_formats(definition: Object) -> list[str]:
    """Each once, in the schemas' order."""
    found: dict[str, None] = {}
    for version in definition["spec"].get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        found |= {str(each["format"]): None for each in _within(schema, 0) if not _is_checked(each)}
    return list(found)


def _is_checked(schema: Object) -> bool:
    name, of = schema.get("format") or "", schema.get("type") or "string"
    if not name:
        return True
    if of == "string":
        return name in _KNOWN or format_check(name) is not None
    return name in _OF_NUMBERS.get(of, ())


def _within(schema: Any, depth: int) -> Iterator[Object]:
    """A schema and those below it."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    yield schema
    below = [schema.get(name) for name in _SCHEMAS]
    for name in _LISTS:
        below += schema.get(name) or ()
    below += (schema.get("properties") or {}).values()
    for each in below:
        yield from _within(each, depth + 1)
