"""The types that rules see a schema's values as, and how large these can be."""

import binascii
import re
from collections.abc import Callable
from typing import Any

from server.cel.errors import EvaluationError
from server.cel.library.conversions import duration_of, timestamp_of
from server.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Decl,
    FieldDecl,
    ObjectType,
    list_of,
    map_of,
)
from server.cel.values import NANOSECONDS, Duration, MapList, SetList

Schema = dict[str, Any]

REQUEST = 3 * 1024 * 1024
"""Bytes: the largest request, and so the largest value."""
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
        "import", "let", "loop", "package", "namespace", "return",
    }
)  # fmt: skip
_TEXT = {"type": "string"}
_META = {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}}
_ZONED = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_WORDED = re.compile(
    r"(\d{1,9})\s*(secs?|seconds?|mins?|minutes?|hrs?|hours?|days?|d|weeks?|wks?|w)", re.ASCII
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def escaped(name: str) -> str | None:
    """A property's name as rules write it; None when they cannot."""
    if name in _RESERVED:
        return f"__{name}__"
    for plain, word in _ESCAPES:
        name = name.replace(plain, word)
    return name if name.isidentifier() and name.isascii() else None


def with_metadata(schema: Schema) -> Schema:
    """A resource's schema with what every resource has."""
    known = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _META}
    return {**schema, "properties": {**(schema.get("properties") or {}), **known}}


def declared(schema: Schema, *, resource: bool, name: str = "selfType") -> Decl | None:
    """The declaration of a schema's values; None for what rules cannot see."""
    if schema.get("x-kubernetes-int-or-string"):
        longest = schema.get("maxLength")
        return Decl(DYN, REQUEST - 2 if longest is None else max(longest, 0) * 4, 1)
    if resource:
        schema = with_metadata(schema)
    match schema.get("type"):
        case "array" if isinstance(schema.get("items"), dict):
            return _list(schema, name)
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return _map(schema, name)
        case "object":
            return _object(schema, name)
        case "string":
            return _text(schema)
        case "boolean":
            return Decl(BOOL, 0, 4)
        case "number":
            return Decl(DOUBLE, 0, 1, convert=_double)
        case "integer":
            return Decl(INT, 0, 1)
    return None


def _double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _list(schema: Schema, name: str) -> Decl | None:
    items = schema["items"]
    element = declared(items, resource=_embedded(items), name=f"{name}.@idx")
    if element is None:
        return None
    longest = schema.get("maxItems")
    most = (REQUEST - 2) // (element.min_size + 1) if longest is None else max(longest, 0)
    convert = _list_conversion(schema, element.convert)
    return Decl(list_of(element.type), most, 2, element=element, convert=convert)


def _list_conversion(schema: Schema, each: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    if each is None and kind not in ("set", "map"):
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        found = [each(item) for item in value] if each is not None else value
        if kind == "set":
            return SetList(found)
        if kind == "map":
            found = MapList(found)
            found.keys = keys
        return found

    return convert


def _map(schema: Schema, name: str) -> Decl | None:
    others = schema["additionalProperties"]
    element = declared(others, resource=_embedded(others), name=f"{name}.@elem")
    if element is None:
        return None
    longest, each = schema.get("maxProperties"), element.convert
    most = (REQUEST - 2) // (element.min_size + 6) if longest is None else max(longest, 0)

    def convert(value: Any) -> Any:
        return {key: each(item) for key, item in value.items()} if isinstance(value, dict) else value

    kind = map_of(STRING, element.type)
    return Decl(kind, most, 2, element, Decl(STRING, 0, 2), convert if each is not None else None)


def _object(schema: Schema, name: str) -> Decl:
    fields: dict[str, FieldDecl] = {}
    required = set(schema.get("required") or ())
    size = 2
    for key, each in (schema.get("properties") or {}).items():
        decl = declared(each, resource=_embedded(each), name=f"{name}.{key}")
        if decl is None:
            continue
        if (known_as := escaped(key)) is not None:
            fields[known_as] = FieldDecl(key, decl)
        if key in required and each.get("default") is None:
            size += len(key) + decl.min_size + 4
    return Decl(ObjectType(name, (), fields), 0, size)


def _embedded(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-embedded-resource"))


def _text(schema: Schema) -> Decl:
    longest = schema.get("maxLength")
    match schema.get("format"):
        case "byte":
            return Decl(BYTES, REQUEST - 2 if longest is None else max(longest, 0), 2, convert=_bytes)
        case "duration":
            return Decl(DURATION, 32, 4, convert=_parsed(_duration))
        case "date":
            return Decl(TIMESTAMP, 12, 12, convert=_parsed(_date))
        case "date-time":
            return Decl(TIMESTAMP, 37, 22, convert=_parsed(_moment))
    if longest is not None:
        return Decl(STRING, max(longest, 0) * 4, 2)
    texts = [len(each.encode()) for each in schema.get("enum") or () if isinstance(each, str)]
    return Decl(STRING, max(texts, default=0) if schema.get("enum") else REQUEST - 2, 2)


def _parsed(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A text that is of another form stays one: a stored object may be invalid."""

    def convert(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except EvaluationError:
            return value

    return convert


def _date(text: str) -> Any:
    return timestamp_of(f"{text}T00:00:00Z")


def _moment(text: str) -> Any:
    """The format takes small letters, and times without a zone."""
    text = text.upper().replace(",", ".")
    return timestamp_of(text if _ZONED.search(text) else f"{text}Z")


def _duration(text: str) -> Any:
    """The format takes Go's durations, and an amount with a unit in words."""
    found = _WORDED.fullmatch(text)
    if found is None:
        return duration_of(text)
    return Duration(int(found[1]) * _SECONDS[found[2][0]] * NANOSECONDS)


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return binascii.a2b_base64(value)
    except (binascii.Error, ValueError):
        return b""
