"""OpenAPI v2 as a protobuf `openapi.v2.Document`: kubectl before 1.28 reads schemas in no other form.

Only what our documents contain is written. Field numbers are those of the published OpenAPIv2.proto.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

MEDIA = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
"""What clients ask for."""
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What they are given: an @ is not allowed in a Content-Type, and Go's parser refuses it."""

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
_VARINT, _BYTES = 0, 2


def document(swagger: Mapping[str, Any]) -> bytes:
    """A Swagger 2.0 document in protobuf."""
    info = _text(1, swagger["info"]["title"]) + _text(2, swagger["info"]["version"])
    paths = b"".join(_named(2, path, _path_item(item)) for path, item in swagger["paths"].items())
    definitions = b"".join(_named(1, name, _schema(each)) for name, each in swagger["definitions"].items())
    return _text(1, swagger["swagger"]) + _message(2, info) + _message(8, paths) + _message(9, definitions)


def _number(value: int) -> bytes:
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)


def _message(field: int, content: bytes) -> bytes:
    return _number(field << 3 | _BYTES) + _number(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode()) if value else b""


def _flag(field: int, value: bool) -> bytes:
    return _number(field << 3 | _VARINT) + b"\x01" if value else b""


def _named(field: int, name: str, content: bytes) -> bytes:
    return _message(field, _text(1, name) + _message(2, content))


def _any(value: Any) -> bytes:
    """An `Any` holds YAML, of which JSON is a part."""
    return _text(2, orjson.dumps(value).decode())


def _extensions(field: int, owner: Mapping[str, Any]) -> bytes:
    return b"".join(
        _named(field, name, _any(value)) for name, value in owner.items() if name.startswith("x-")
    )


def _path_item(item: Mapping[str, Any]) -> bytes:
    operations = (
        _message(number, _operation(item[method])) for method, number in _METHODS.items() if method in item
    )
    return b"".join(operations) + _parameters(9, item.get("parameters", ()))


def _operation(operation: Mapping[str, Any]) -> bytes:
    return b"".join(
        [
            *(_text(1, tag) for tag in operation["tags"]),
            _text(3, operation["description"]),
            _text(5, operation["operationId"]),
            *(_text(7, media) for media in operation.get("consumes", ())),
            _parameters(8, operation.get("parameters", ())),
            _message(9, b""),
            _extensions(13, operation),
        ]
    )


def _parameters(field: int, parameters: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(_message(field, _message(1, _parameter(each))) for each in parameters)


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    name, place = parameter["name"], parameter["in"]
    required = bool(parameter.get("required"))
    description = parameter.get("description", "")
    if place == "body":
        body = (
            _text(2, name) + _text(3, place) + _flag(4, required) + _message(5, _schema(parameter["schema"]))
        )
        return _message(1, body)
    content = _flag(1, required) + _text(2, place) + _text(3, description) + _text(4, name)
    if place == "query":
        return _message(2, _message(3, content + _text(6, parameter["type"])))
    return _message(2, _message(4, content + _text(5, parameter["type"])))


def _schema(schema: Mapping[str, Any]) -> bytes:
    additional = schema.get("additionalProperties")
    return b"".join(
        [
            _text(1, schema.get("$ref", "")),
            _text(2, schema.get("format", "")),
            _text(4, schema.get("description", "")),
            *(_text(19, name) for name in schema.get("required", ())),
            *(_message(20, _any(value)) for value in schema.get("enum", ())),
            _message(21, _message(1, _schema(additional))) if isinstance(additional, Mapping) else b"",
            _message(22, _text(1, schema["type"])) if "type" in schema else b"",
            _message(23, _message(1, _schema(schema["items"]))) if "items" in schema else b"",
            _properties(schema.get("properties")),
            _extensions(31, schema),
        ]
    )


def _properties(properties: Mapping[str, Any] | None) -> bytes:
    if properties is None:
        return b""
    return _message(25, b"".join(_named(1, name, _schema(each)) for name, each in properties.items()))
