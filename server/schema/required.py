"""Which required fields an object lacks: for kinds whose strategy does not check its objects more closely.

Only texts can be told to be missing: numbers and booleans have a zero that is a value, lists may be empty.
"""

from collections.abc import Iterator
from typing import Any

from kubeling.objects.meta import Object
from server.schema.nodes import ListOf, MapOf, Node, Scalar, Struct

_NOT_CHECKED = ("apiVersion", "kind", "metadata", "status")


def missing_fields(struct: Struct, obj: Object) -> Iterator[str]:
    """Paths of required texts that are absent or empty, in the order of the type's fields."""
    for name, field in struct.fields.items():
        if name not in _NOT_CHECKED:
            yield from _missing(field.node, obj.get(name), name, required=field.required)


def _missing(node: Node, value: Any, path: str, *, required: bool) -> Iterator[str]:
    match node:
        case Scalar(go_type="string") if required and not value:
            yield path
        case Struct() if required or value is not None:
            yield from _in_struct(node, value or {}, path)
        case ListOf() if value:
            for position, item in enumerate(value):
                yield from _missing(node.items, item, f"{path}[{position}]", required=False)
        case MapOf() if value:
            for key, item in value.items():
                yield from _missing(node.values, item, f"{path}[{key}]", required=False)


def _in_struct(node: Struct, value: Object, path: str) -> Iterator[str]:
    for name, field in node.fields.items():
        yield from _missing(field.node, value.get(name), f"{path}.{name}", required=field.required)
