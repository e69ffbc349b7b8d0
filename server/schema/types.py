"""Compiles definitions into nodes, each once, on first use."""

from dataclasses import replace
from functools import cache
from typing import Any

from server.schema import scalars
from server.schema.definitions import Definition, definition, name_of
from server.schema.nodes import Anything, Field, ListOf, MapOf, Node, Scalar, Struct
from server.schema.omission import omitted

_STRING = Scalar("string", scalars.string)
_BYTES = Scalar("[]uint8", scalars.base64_text)
_FORMATS: dict[tuple[str, str], Node] = {
    ("integer", "int32"): Scalar("int32", scalars.int32, 0),
    ("integer", "int64"): Scalar("int64", scalars.int64, 0),
    ("string", "byte"): _BYTES,
    ("string", "date-time"): Scalar("v1.Time", scalars.time, None),
}
_TYPES: dict[str, Node] = {
    "string": _STRING,
    "boolean": Scalar("bool", scalars.boolean, False),
    "integer": Scalar("int64", scalars.int64, 0),
    "number": Scalar("float64", scalars.number, 0),
}
_MACHINERY = "io.k8s.apimachinery.pkg."
_SPECIAL: dict[str, Node] = {
    f"{_MACHINERY}api.resource.Quantity": Scalar("resource.Quantity", scalars.quantity_text, "0"),
    f"{_MACHINERY}apis.meta.v1.Time": _FORMATS["string", "date-time"],
    f"{_MACHINERY}apis.meta.v1.MicroTime": Scalar("v1.MicroTime", scalars.micro_time, None),
    f"{_MACHINERY}util.intstr.IntOrString": Scalar("int32", scalars.int_or_string, 0),
    f"{_MACHINERY}runtime.RawExtension": Anything("runtime.RawExtension", only_objects=True),
    f"{_MACHINERY}apis.meta.v1.FieldsV1": Anything("v1.FieldsV1", only_objects=True),
}


@cache
def struct_of(group: str, version: str, kind: str) -> Struct | None:
    """The type of a kind's objects; None when the definitions do not have it."""
    name = name_of(group, version, kind)
    node = _named(name) if name else None
    return node if isinstance(node, Struct) else None


@cache
def options_struct(kind: str) -> Struct:
    """The type of options that belong to every group, such as DeleteOptions."""
    node = _named(f"{_MACHINERY}apis.meta.v1.{kind}")
    assert isinstance(node, Struct)
    return node


@cache
def _named(name: str) -> Node:
    if name in _SPECIAL:
        return _SPECIAL[name]
    found = definition(name)
    if "type" not in found and "properties" not in found:
        return Anything()
    package, _, short = name.rpartition(".")
    go_type = f"{package.rpartition('.')[2]}.{short}"
    return Struct(go_type, lambda: _fields(short, definition(name)), atomic=_atomic(found))


def _fields(struct: str, found: Definition) -> dict[str, Field]:
    required = set(found.get("required") or ())
    properties: dict[str, Definition] = found.get("properties") or {}
    return {name: _field(struct, name, each, name in required) for name, each in properties.items()}


def _field(struct: str, name: str, found: Definition, required: bool) -> Field:
    node = _node(found)
    strategies = found.get("x-kubernetes-patch-strategy")
    return Field(
        node=node,
        required=required,
        omitted=() if required else omitted(struct, name, _shape(found)),
        merge_key=found.get("x-kubernetes-patch-merge-key", ""),
        strategies=frozenset(strategies.split(",")) if strategies else frozenset(),
    )


def _shape(found: Definition) -> str:
    if "$ref" in found:
        return "reference"
    return "map" if "additionalProperties" in found else _type_of(found)


def _type_of(found: Definition) -> str:
    declared: Any = found.get("type", "")
    return declared if isinstance(declared, str) else next(each for each in declared if each != "null")


def _node(found: Definition) -> Node:
    if "$ref" in found:
        return _referred(found)
    if "additionalProperties" in found:
        return _map(_node(found["additionalProperties"]), atomic=_atomic(found))
    kind = _type_of(found)
    if kind == "array":
        map_keys = tuple(found.get("x-kubernetes-list-map-keys") or ())
        return ListOf(_node(found["items"]), found.get("x-kubernetes-list-type", ""), map_keys)
    if kind in ("object", ""):
        return Anything("map[string]interface {}", only_objects=kind == "object")
    return _FORMATS.get((kind, found.get("format", ""))) or _TYPES[kind]


def _referred(found: Definition) -> Node:
    """The type that is named; a field may say of it that it is atomic, or that it is not."""
    node = _named(found["$ref"].rpartition("/")[2])
    if "x-kubernetes-map-type" in found and isinstance(node, Struct):
        return replace(node, atomic=_atomic(found))
    return node


def _atomic(found: Definition) -> bool:
    return bool(found.get("x-kubernetes-map-type") == "atomic")


def _map(values: Node, *, atomic: bool) -> MapOf:
    of_quantities = values is _SPECIAL[f"{_MACHINERY}api.resource.Quantity"]
    return MapOf(values, "v1.ResourceList" if of_quantities else f"map[string]{values.go_type}", atomic)
