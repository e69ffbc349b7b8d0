"""The compiled types: structs with fields, lists, maps, scalars. `types` builds them, `decode` is the way in.

A node decodes a JSON value into what Kubernetes would store: nulls go, unknown fields go (their paths are
collected), empty optional values go where Go's `omitempty` would leave them out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from server.schema import scalars
from server.schema.errors import TypeMismatch
from server.schema.scalars import Decoder, json_type

Path = list[str]
"""A field's path from the inside out: the last element is the outermost."""


class Node(Protocol):
    @property
    def go_type(self) -> str:
        """What Go calls the type, for errors."""
        ...

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        """The stored form of a value that is not null.

        Raises:
            DecodeError: the value does not fit.
        """
        ...

    def zero(self) -> Any:
        """What a null in a list or map becomes."""
        ...


@dataclass(frozen=True, slots=True)
class Scalar:
    go_type: str
    decoder: Decoder
    zero_value: Any = ""

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        return self.decoder(value)

    def zero(self) -> Any:
        return self.zero_value


@dataclass(frozen=True, slots=True)
class Anything:
    """JSON that is stored as it came: raw extensions, schemas' defaults, managed fields."""

    go_type: str = "interface {}"
    only_objects: bool = False

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if self.only_objects and not isinstance(value, dict):
            raise TypeMismatch(json_type(value), self.go_type)
        return value

    def zero(self) -> Any:
        return None


@dataclass(frozen=True, slots=True)
class ListOf:
    items: Node
    list_type: str = ""
    """atomic (what "" means as well), set or map."""
    map_keys: tuple[str, ...] = ()
    """The fields that tell the items of a list of type map apart."""

    @property
    def go_type(self) -> str:
        return f"[]{self.items.go_type}"

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is not list:
            raise TypeMismatch(json_type(value), self.go_type)
        decode, out, before = self.items.decode, [], len(unknown)
        for position, item in enumerate(value):
            out.append(self.items.zero() if item is None else decode(item, unknown))
            if len(unknown) > before:
                _prefix(unknown, before, f"[{position}]")
                before = len(unknown)
        return out

    def zero(self) -> Any:
        return []


@dataclass(frozen=True, slots=True)
class MapOf:
    values: Node
    go_type: str
    atomic: bool = False
    """The map is one value: it has one owner, and is replaced as a whole."""

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is not dict:
            raise TypeMismatch(json_type(value), self.go_type)
        decode, out, before = self.values.decode, {}, len(unknown)
        for key, item in value.items():
            out[key] = self.values.zero() if item is None else decode(item, unknown)
            if len(unknown) > before:
                _prefix(unknown, before, key)
                before = len(unknown)
        return out

    def zero(self) -> Any:
        return {}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct, with what the patches must know of it."""

    node: Node
    required: bool
    omitted: tuple[Any, ...]
    """Values that the stored form leaves out."""
    merge_key: str = ""
    strategies: frozenset[str] = frozenset()
    """Of merge, replace, retainKeys."""


@dataclass(eq=False)
class Struct:
    go_type: str
    build: Callable[[], dict[str, Field]] = field(repr=False)
    """Makes the fields, on first use: types refer to each other, and to themselves."""
    atomic: bool = False
    """An object of the type is one value: it has one owner, and is replaced as a whole."""

    @cached_property
    def fields(self) -> dict[str, Field]:
        return self.build()

    @cached_property
    def _steps(self) -> "dict[str, _Step]":
        return {name: _step(field) for name, field in self.fields.items()}

    @cached_property
    def name(self) -> str:
        return self.go_type.rpartition(".")[2]

    def decode(self, value: Any, unknown: list[Path]) -> Any:
        if type(value) is not dict:
            raise TypeMismatch(json_type(value), self.go_type)
        steps, out, before = self._steps, {}, len(unknown)
        for key, item in value.items():
            step = steps.get(key)
            if step is None:
                unknown.append([key])
                before = len(unknown)
                continue
            if item is None:
                continue
            plain, decode, omitted = step
            if type(item) is plain:
                decoded = item
            else:
                try:
                    decoded = decode(item, unknown)
                except TypeMismatch as error:
                    raise error.inside(self.name, key) from None
                if len(unknown) > before:
                    _prefix(unknown, before, key)
                    before = len(unknown)
            if not omitted or decoded not in omitted:
                out[key] = decoded
        return out

    def zero(self) -> Any:
        return {}


_Step = tuple[type | None, Callable[[Any, list[Path]], Any], tuple[Any, ...]]
"""How a field is decoded: which type is stored as it is, the way for other values, what is left out."""
_PLAIN: dict[Decoder, type] = {scalars.string: str, scalars.boolean: bool}


def _step(field: Field) -> _Step:
    node = field.node
    plain = _PLAIN.get(node.decoder) if isinstance(node, Scalar) else None
    return plain, node.decode, field.omitted


def _prefix(unknown: list[Path], start: int, part: str) -> None:
    for path in unknown[start:]:
        path.append(part)
