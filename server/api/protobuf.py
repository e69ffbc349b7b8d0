"""Request bodies in Kubernetes' protobuf: Go clients since v1.33, and controller-runtime, send nothing else.

Decoding only: those clients take JSON for an answer. The layouts of the types are data, written by
`tools/protobuf_fields.py`. The result is what the same client would have sent as JSON.
"""

import base64
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import orjson

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.api.negotiation import JSON, PROTOBUF, YAML, unsupported_media

MAGIC = b"k8s\x00"
_DELETE_OPTIONS = "k8s.io/apimachinery/pkg/apis/meta/v1.DeleteOptions"
_MAX_DEPTH = 60
_SIGNED = 1 << 63
_NOTHING: tuple[Any, ...] = (None, {})
_EMPTY: tuple[Any, ...] = (*_NOTHING, "", 0)
"""Zero values; False is equal to 0."""

Wire = int | bytes
Form = str | list[Any]


class _Field(NamedTuple):
    name: str
    """Its name in JSON; "" when its own fields stand in its place."""
    form: Form
    required: bool
    """Written even when it is empty."""
    pointer: bool
    """Can be absent: then empty is not the same as absent."""


class Malformed(ValueError):
    """The bytes are not what they claim to be."""


def decode_object(body: bytes) -> Object:
    """The object in a body.

    Raises:
        BadRequest: the bytes are malformed.
        UnsupportedMediaType: the kind's layout is not known: the client should send JSON.
    """
    try:
        return _decode(body)
    except (Malformed, ValueError, IndexError, struct.error) as error:
        raise BadRequest(f"the body of the request is not valid protobuf: {error}") from error


def _decode(body: bytes) -> Object:
    if not body.startswith(MAGIC):
        raise Malformed("it does not begin with k8s")
    envelope = dict(_fields(body[len(MAGIC) :]))
    mark = dict(_fields(_bytes(envelope.get(1, b""))))
    api_version, kind = _text(mark.get(1, b"")), _text(mark.get(2, b""))
    group, _, version = api_version.rpartition("/")
    root = _DELETE_OPTIONS if kind == "DeleteOptions" else _table()["kinds"].get(f"{group}/{version}/{kind}")
    if root is None:
        raise unsupported_media(PROTOBUF, JSON, YAML)
    content = _message(root, _bytes(envelope.get(2, b"")), depth=0)
    return {"kind": kind, "apiVersion": api_version, **content}


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = orjson.loads(
        resources.files("server.api").joinpath("protobuf_fields.json").read_bytes()
    )
    return table


@cache
def _layout(type_: str) -> Mapping[int, _Field]:
    return {
        number: _Field(name, form, required=bool(required), pointer=bool(pointer))
        for number, name, form, required, pointer in _table()["types"][type_]
    }


def _message(type_: str, data: bytes, *, depth: int) -> Object:
    if depth > _MAX_DEPTH:
        raise Malformed(f"it is nested deeper than {_MAX_DEPTH} levels")
    layout, obj = _layout(type_), Object()
    for number, value in _fields(data):
        field = layout.get(number)
        if field is not None:
            _put(obj, field, value, depth=depth + 1)
    return obj


def _put(obj: Object, field: _Field, value: Wire, *, depth: int) -> None:
    form = field.form
    if isinstance(form, list):
        _put_many(obj, field.name, form, value, depth=depth)
        return
    decoded = _value(form, value, depth=depth)
    if not field.name:
        obj.update(decoded)
    elif field.pointer or decoded not in _EMPTY or (field.required and decoded not in _NOTHING):
        obj[field.name] = decoded


def _put_many(obj: Object, name: str, form: list[Any], value: Wire, *, depth: int) -> None:
    shape, inner = form
    if shape == "list":
        obj.setdefault(name, []).append(_value(inner, value, depth=depth))
    elif shape == "map":
        entry = dict(_fields(_bytes(value)))
        obj.setdefault(name, {})[_text(entry.get(1, b""))] = _value(inner, entry.get(2), depth=depth)
    else:
        obj[name] = _value(form, value, depth=depth)


def _value(form: Form, value: Wire | None, *, depth: int) -> Any:
    if isinstance(form, list):
        return _composed(form, _bytes(value or b""), depth=depth)
    if form == "int":
        return _integer(value or 0)
    if form == "bool":
        return bool(value)
    if form == "float":
        return _float(_bytes(value)) if value else 0
    decode = _DECODERS.get(form)
    return decode(_bytes(value or b"")) if decode else _message(form, _bytes(value or b""), depth=depth)


def _composed(form: list[Any], data: bytes, *, depth: int) -> Any:
    shape, inner = form
    if shape == "either":
        return _either(_message(inner, data, depth=depth))
    return [_value(inner, each, depth=depth) for number, each in _fields(data) if number == 1]


def _either(parts: Object) -> Any:
    """A schema, or what may stand in its place: a list, or a yes or no."""
    for name in ("schema", "list"):
        if name in parts:
            return parts[name]
    return parts.get("allows", False)


def _float(data: bytes) -> float:
    """Whole numbers as JSON has them, without a fraction."""
    found: float = struct.unpack("<d", data)[0]
    return int(found) if found.is_integer() else found


def _integer(value: Wire) -> int:
    if not isinstance(value, int):
        raise Malformed("a number was expected")
    return value - (_SIGNED << 1) if value >= _SIGNED else value


def _bytes(value: Wire | None) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("a text or a message was expected")
    return value


def _text(value: Wire) -> str:
    return _bytes(value).decode()


def _time(data: bytes) -> str | None:
    moment = _moment(data)
    return meta.timestamp(moment) if moment else None


def _micro_time(data: bytes) -> str | None:
    moment = _moment(data)
    return meta.micro_timestamp(moment) if moment else None


def _moment(data: bytes) -> datetime | None:
    """The zero time, which stands for none, comes as an empty message."""
    if not data:
        return None
    parts = dict(_fields(data))
    seconds, nanoseconds = _integer(parts.get(1, 0)), _integer(parts.get(2, 0))
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
    except (OverflowError, OSError) as error:
        raise Malformed(f"{seconds} seconds are no time") from error


def _duration(data: bytes) -> str:
    return f"{_integer(dict(_fields(data)).get(1, 0))}ns"


def _quantity(data: bytes) -> str:
    return _text(dict(_fields(data)).get(1, b""))


def _int_or_string(data: bytes) -> int | str:
    parts = dict(_fields(data))
    return _text(parts.get(3, b"")) if _integer(parts.get(1, 0)) == 1 else _integer(parts.get(2, 0))


def _raw(data: bytes) -> Any:
    """JSON within protobuf."""
    text = _bytes(dict(_fields(data)).get(1, b""))
    return orjson.loads(text) if text else None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_DECODERS: Mapping[str, Any] = {
    "string": _text,
    "bytes": _base64,
    "time": _time,
    "microtime": _micro_time,
    "duration": _duration,
    "quantity": _quantity,
    "intorstring": _int_or_string,
    "raw": _raw,
}


def _fields(data: bytes) -> Iterator[tuple[int, Wire]]:
    """Numbers and values of a message's fields, in their order."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == 2:
            length, position = _varint(data, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise Malformed(f"there is no wire type {wire}")
        if position + length > end:
            raise Malformed("it ends too early")
        yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise Malformed("a number is too long")
