"""JSON paths of names below a schema: the fieldPath of a rule, the fields for field selectors."""

import re
from typing import Any

Schema = dict[str, Any]

_TOKEN = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")
_PART = re.compile(r"[.\[\]]|[^.\[\]]+")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\",
}  # fmt: skip


class FieldPathError(ValueError):
    pass


def field_path(text: str, schema: Schema) -> str:
    """The path as field errors have it, with its dot before it.

    Raises:
        FieldPathError: it is not of the form, or does not lead to a field of the schema.
    """
    found, place = "", 0
    current: Any = schema
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise FieldPathError("expected [ or .")
        name = match[1] if match[1] is not None else _unescaped(match[2])
        found += _step(name, current)
        current = _below(name, current)
        place = match.end()
    return found


def _unescaped(text: str) -> str:
    def plain(match: "re.Match[str]") -> str:
        if match[1] not in _ESCAPES:
            raise FieldPathError(f"invalid escape char {match[0]}")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", plain, text)


def _step(name: str, schema: Any) -> str:
    return f".{name}" if schema.get("properties") else f"[{name}]"


def _below(name: str, schema: Any) -> Any:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    if properties and name in properties:
        return properties[name]
    if not properties and isinstance(others, dict):
        return others
    raise FieldPathError("does not refer to a valid field")


def selected_field(text: str, schema: Schema) -> Schema:
    """The schema of the field that a path of names alone, such as `.spec.color`, leads to.

    Raises:
        FieldPathError: what is wrong with the path.
    """
    parts, current = iter(_PART.findall(text)), schema
    for delimiter in parts:
        if delimiter == "[":
            raise FieldPathError("array notation is not allowed")
        if delimiter != ".":
            raise FieldPathError(f"expected [ or . but got: {delimiter}")
        name = next(parts, None)
        if name is None:
            raise FieldPathError("unexpected end of JSON path")
        current = _below(name, current)
    return current
