"""The parts of an expression. `at` is the offset in the source that errors point to.

Macros are parts of their own (`Fold`, `Bind`), not expanded; `Test` is has().
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False, slots=True)
class Node:
    at: int


@dataclass(eq=False, slots=True)
class Literal(Node):
    value: Any


@dataclass(eq=False, slots=True)
class Ident(Node):
    name: str


@dataclass(eq=False, slots=True)
class Select(Node):
    operand: Node
    field: str
    optional: bool = False


@dataclass(eq=False, slots=True)
class Test(Node):
    """has(operand.field)"""

    operand: Node
    field: str


@dataclass(eq=False, slots=True)
class Call(Node):
    """A function, an operator (`_+_`, `_[_]`, `_?_:_`, ...) or, with a target, a member function."""

    function: str
    target: Node | None
    args: list[Node]


@dataclass(eq=False, slots=True)
class ListOf(Node):
    items: list[Node]
    optional: frozenset[int] = frozenset()
    """Which items are optionals that may be left out."""


@dataclass(eq=False, slots=True)
class MapOf(Node):
    entries: list[tuple[Node, Node]]
    optional: frozenset[int] = frozenset()


@dataclass(eq=False, slots=True)
class Message(Node):
    """An object of a named type: `Object.spec{replicas: 1}`."""

    name: str
    fields: list[tuple[str, Node]]
    optional: frozenset[int] = frozenset()


@dataclass(eq=False, slots=True)
class Fold(Node):
    """A macro over a list or map: all, exists, exists_one, map, filter, transformList, ..."""

    kind: str
    over: Node
    names: tuple[str, ...]
    """One or two variables."""
    result: Node
    """What is looked at, or made, per item."""
    when: Node | None = None
    """The condition of map and transform with three (four) arguments."""


@dataclass(eq=False, slots=True)
class Bind(Node):
    """cel.bind; with `optional`, optMap (True) and optFlatMap (False keeps the result as it is)."""

    name: str
    value: Node
    result: Node
    kind: str = field(default="bind")
    """bind, optMap or optFlatMap."""


def children(node: Node) -> list[Node]:
    """The parts of an expression that are expressions."""
    match node:
        case Select() | Test():
            return [node.operand]
        case Call():
            return [*([node.target] if node.target else []), *node.args]
        case ListOf():
            return node.items
        case MapOf():
            return [each for entry in node.entries for each in entry]
        case Message():
            return [each for _, each in node.fields]
        case Fold():
            return [node.over, node.result, *([node.when] if node.when else [])]
        case Bind():
            return [node.value, node.result]
    return []


def qualified(node: Node) -> str:
    """A chain of names as one; empty for anything else."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.optional:
        start = qualified(node.operand)
        return f"{start}.{node.field}" if start else ""
    return ""
