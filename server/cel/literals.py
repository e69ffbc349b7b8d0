"""What is wrong with literals, beyond their types: it is known before anything is evaluated.

Lists and maps hold one type (arguments of `format` excepted); durations, timestamps and regular expressions
that are written out must be such.
"""

from collections.abc import Callable
from typing import Any

from server.cel import syntax
from server.cel.check import Checked
from server.cel.errors import EvaluationError
from server.cel.library.conversions import duration_of, timestamp_of
from server.cel.library.strings import pattern
from server.cel.syntax import Call, Literal, Node
from server.cel.types import Type

_PARSED: dict[str, Callable[[str], Any]] = {
    "duration": duration_of,
    "timestamp": timestamp_of,
    "matches": pattern,
}

Errors = list[tuple[int, str]]


def literal_errors(checked: Checked) -> Errors:
    """Offsets and messages."""
    errors: Errors = []
    _visit(checked, checked.root, errors, mixed=False)
    return errors


def _visit(checked: Checked, node: Node, errors: Errors, *, mixed: bool) -> None:
    match node:
        case Call() if node.function in _PARSED and node.args:
            _parse(node, errors)
        case syntax.ListOf() if not mixed:
            _same(checked, node.items, node.optional, errors)
        case syntax.MapOf() if not mixed:
            _same(checked, [key for key, _ in node.entries], frozenset(), errors)
            _same(checked, [value for _, value in node.entries], node.optional, errors)
    mixed = mixed or (isinstance(node, Call) and node.function == "format" and node.target is not None)
    for each in syntax.children(node):
        _visit(checked, each, errors, mixed=mixed)


def _parse(node: Call, errors: Errors) -> None:
    argument = node.args[-1]
    if not isinstance(argument, Literal) or not isinstance(argument.value, str):
        return
    try:
        _PARSED[node.function](argument.value)
    except EvaluationError:
        errors.append((argument.at, f"invalid {node.function} argument"))


def _same(checked: Checked, nodes: list[Node], optional: frozenset[int], errors: Errors) -> None:
    first: Type | None = None
    for at, node in enumerate(nodes):
        found = checked.types[node]
        if at in optional and found.name == "optional_type":
            found = found.params[0]
        if first is None:
            first = found
        elif str(first) != str(found):
            errors.append((node.at, f"expected type '{first}' but found '{found}'"))
            return
