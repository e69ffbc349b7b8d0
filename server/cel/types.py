"""The types of expressions, and whether a value of one may stand where another is wanted."""

from dataclasses import dataclass, field
from typing import Any

from server.cel import values


@dataclass(frozen=True, slots=True)
class Type:
    name: str
    params: "tuple[Type, ...]" = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.params))})" if self.params else self.name


BOOL, INT, UINT, DOUBLE = Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL, DYN = Type("string"), Type("bytes"), Type("null"), Type("dyn")
TIMESTAMP, DURATION = Type("timestamp"), Type("duration")
_NOT_NULL = frozenset({"bool", "int", "uint", "double", "string", "bytes", "list", "map", "type"})


def list_of(item: Type) -> Type:
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("optional_type", (value,))


@dataclass(frozen=True, eq=False, slots=True)
class ObjectType(Type):
    """An object with known fields; each is a type of its own."""

    fields: "dict[str, FieldDecl]" = field(default_factory=dict)
    open: bool = False
    """It has any field."""


@dataclass(frozen=True, slots=True)
class Message:
    """A type that expressions can make objects of."""

    type: Type
    fields: "dict[str, Type] | None" = None
    """None when any field goes."""


@dataclass(eq=False, slots=True)
class Decl:
    """A declared value: its type, how large it can be, and how its JSON becomes a value."""

    type: Type
    max_elements: int = 0
    """Characters, bytes, items or entries."""
    min_size: int = 1
    """Bytes of its smallest JSON."""
    element: "Decl | None" = None
    key: "Decl | None" = None
    convert: Any = None
    """A function from JSON; None where JSON is the value."""


@dataclass(eq=False, slots=True)
class FieldDecl:
    name: str
    """The field's name in JSON; expressions may know it by an escaped one."""
    decl: Decl


Bindings = dict[str, Type]


def is_variable(type_: Type) -> bool:
    return len(type_.name) == 1


def assignable(wanted: Type, found: Type, bound: Bindings) -> bool:
    """Whether a value fits; type variables in what is wanted are bound on the way."""
    if is_variable(wanted):
        return _bind(wanted.name, found, bound)
    if wanted.name == "dyn" or found.name == "dyn" or is_variable(found):
        return True
    if found.name == "null":
        return wanted.name == "null" or wanted.name not in _NOT_NULL
    if isinstance(wanted, ObjectType) or isinstance(found, ObjectType):
        return wanted is found or wanted.name == found.name
    if wanted.name != found.name or len(wanted.params) != len(found.params):
        return wanted.name == found.name and wanted.name == "type"
    return all(assignable(one, other, bound) for one, other in zip(wanted.params, found.params, strict=True))


def _bind(name: str, found: Type, bound: Bindings) -> bool:
    known = bound.get(name)
    if known is None or known.name in ("dyn", "null") or _is_open(known):
        bound[name] = found if known is None or known.name != "dyn" else known
        return True
    return found.name in ("dyn", "null") or assignable(known, found, {})


def _is_open(type_: Type) -> bool:
    return any(is_variable(each) for each in type_.params)


def resolved(type_: Type, bound: Bindings) -> Type:
    """A type with its variables replaced; dyn for one that nothing is known of."""
    if is_variable(type_):
        return bound.get(type_.name, DYN)
    if not type_.params or isinstance(type_, ObjectType):
        return type_
    return Type(type_.name, tuple(resolved(each, bound) for each in type_.params))


def joined(one: Type, other: Type) -> Type:
    """The type of what may be one or the other."""
    if one.name == "dyn" or one == other:
        return one
    if assignable(one, other, {}):
        return other if one.name == "null" else one
    return other if assignable(other, one, {}) else DYN


_BY_CLASS = {
    bool: "bool", int: "int", values.Uint: "uint", float: "double", str: "string", bytes: "bytes",
    type(None): "null_type", list: "list", values.SetList: "list", values.MapList: "list", dict: "map",
    values.Timestamp: "google.protobuf.Timestamp", values.Duration: "google.protobuf.Duration",
    values.Optional: "optional_type", values.TypeOf: "type",
}  # fmt: skip
_WELL_KNOWN = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "null": "null_type",
}


def name_of(value: Any) -> str:
    """The name of a value's type, as type() tells it."""
    return _BY_CLASS.get(type(value)) or str(getattr(value, "type_name", "unknown"))


def fits(value: Any, wanted: Type) -> bool:
    """Whether a value is of a type, when that is only known at run time; contents are not looked at."""
    if wanted.name == "dyn" or is_variable(wanted):
        return True
    found = name_of(value)
    return found == _WELL_KNOWN.get(wanted.name, wanted.name) or (
        found == "map" and isinstance(wanted, ObjectType)
    )


def type_value(type_: Type) -> values.TypeOf:
    return values.TypeOf(_WELL_KNOWN.get(type_.name, type_.name))
