"""The struct of a custom kind: what is pruned, and what the patches see.

Only metadata (and apiVersion and kind) is strictly typed. A value of another type than the schema's goes
through as it came, and nulls stay: validation speaks of them, and of more than the first one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from server.schema import scalars
from server.schema.errors import TypeMismatch
from server.schema.nodes import Anything, Field, ListOf, MapOf, Node, Path, Scalar, Struct
from server.schema.types import options_struct

Schema = dict[str, Any]

_SCALARS = (str, int, bool, type(None))
"""Types of what has no inner structure, and only one form. (Not float: 2.0 is 2.)"""
_WHOLE = float(1 << 62)
_TEXT = Scalar("string", scalars.string)


def _in_shortest_form(value: Any) -> Any:
    """A number without a fraction is an integer, as Go writes it; the rest is as it came."""
    if type(value) is float and value.is_integer() and -_WHOLE < value < _WHOLE:
        return int(value)
    return value


def _leaf(go_type: str) -> Scalar:
    return Scalar(go_type, _in_shortest_form, None)


_LEAVES = {
    "string": _leaf("string"),
    "boolean": _leaf("bool"),
    "integer": _leaf("int64"),
    "number": _leaf("float64"),
}
_LEAF = _leaf("scalar")


@dataclass(frozen=True, slots=True)
class OpenAnything(Anything):
    """JSON without a schema, whose fields have owners of their own: x-kubernetes-preserve-unknown-fields."""

    granular: bool = True


@dataclass(frozen=True, slots=True)
class CustomList(ListOf):
    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is not list:
            return value
        decode, out = self.items.decode, []
        for position, item in enumerate(value):
            if type(item) in _SCALARS:
                out.append(item)
                continue
            before = len(unknown)
            out.append(decode(item, unknown))
            for path in unknown[before:]:
                path.append(f"[{position}]")
        return out


@dataclass(frozen=True, slots=True)
class CustomMap(MapOf):
    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is not dict:
            return value
        decode, out = self.values.decode, {}
        for key, item in value.items():
            if type(item) in _SCALARS:
                out[key] = item
                continue
            before = len(unknown)
            out[key] = decode(item, unknown)
            for path in unknown[before:]:
                path.append(key)
        return out


@dataclass(eq=False)
class CustomStruct(Struct):
    """An object with properties; `granular` when it keeps the fields that it does not know."""

    granular: bool = False
    strict: frozenset[str] = field(default=frozenset())
    """Fields that are typed strictly: those of the type and of the metadata of a resource."""
    key_defaults: Schema = field(default_factory=dict)
    """The fields' defaults: of an item of a list, they tell its keys where it leaves them out."""

    @cached_property
    def _decoders(self) -> dict[str, Callable[[Any, list[Path]], Any]]:
        return {name: each.node.decode for name, each in self.fields.items()}

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is not dict:
            return value
        decoders, strict, out = self._decoders, self.strict, {}
        for key, item in value.items():
            decode = decoders.get(key)
            if decode is None:
                if self.granular:
                    out[key] = item
                else:
                    unknown.append([key])
            elif key in strict:
                if item is not None:
                    out[key] = self._strictly(key, item, unknown)
            elif type(item) in _SCALARS:
                out[key] = item
            else:
                before = len(unknown)
                out[key] = decode(item, unknown)
                for path in unknown[before:]:
                    path.append(key)
        return out

    def _strictly(self, key: str, item: Any, unknown: list[Path]) -> Any:
        try:
            before = len(unknown)
            found = self._decoders[key](item, unknown)
        except TypeMismatch as error:
            raise error.inside(self.name, key) from None
        for path in unknown[before:]:
            path.append(key)
        return found


@dataclass(frozen=True, slots=True)
class Emptied:
    """A value without a schema that is not kept either: `additionalProperties: true`."""

    go_type: str = "interface {}"

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is dict:
            unknown.extend([key] for key in value)
            return {}
        if type(value) is list:
            return [self.decode(item, unknown) for item in value]
        return value

    def zero(self) -> Any:
        return None


def root_struct(schema: Schema, *, preserve: bool = False) -> Struct:
    """The struct of a kind's objects; with `preserve` it knows no field but those of every resource."""
    if preserve:
        return _struct({}, resource=True, open_=True)
    return _struct(schema, resource=True, open_=bool(schema.get("x-kubernetes-preserve-unknown-fields")))


def pruned(schema: Schema, value: Any) -> Any:
    """A value without the fields that its schema does not know.

    Raises:
        DecodeError: it has metadata of a wrong type.
    """
    return _node(schema).decode(value, [])


def _node(schema: Schema | None, *, open_: bool = False) -> Node:
    """The node of a schema below the root; `open_` when what surrounds it keeps unknown fields of lists."""
    if schema is None:
        return Emptied()
    open_ = open_ or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if "items" in schema:
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        items = _node(schema["items"], open_=open_)
        return CustomList(items, schema.get("x-kubernetes-list-type", ""), keys)
    if schema.get("additionalProperties") and not schema.get("properties"):
        others = schema["additionalProperties"]
        atomic = schema.get("x-kubernetes-map-type") == "atomic"
        values = _node(others) if isinstance(others, dict) else OpenAnything() if open_ else Emptied()
        return CustomMap(values, "map[string]interface {}", atomic)
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if open_ and not schema.get("properties") and not embedded:
        return OpenAnything()
    if schema.get("type") == "object" or embedded:
        return _struct(schema, resource=embedded, open_=open_)
    if schema.get("x-kubernetes-int-or-string"):
        return _LEAF
    return _LEAVES.get(schema.get("type") or "", _LEAF)


def _struct(schema: Schema, *, resource: bool, open_: bool) -> CustomStruct:
    def build() -> dict[str, Field]:
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        fields = {name: Field(_node(each), name in required, ()) for name, each in properties.items()}
        return {**fields, **_resource_fields()} if resource else fields

    return CustomStruct(
        "unstructured.Unstructured",
        build,
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
        granular=open_,
        strict=frozenset(_resource_fields()) if resource else frozenset(),
        key_defaults={
            name: each["default"]
            for name, each in (schema.get("properties") or {}).items()
            if isinstance(each, dict) and "default" in each
        },
    )


def _resource_fields() -> dict[str, Field]:
    return {
        "apiVersion": Field(_TEXT, False, ()),
        "kind": Field(_TEXT, False, ()),
        "metadata": Field(options_struct("ObjectMeta"), False, ()),
    }
