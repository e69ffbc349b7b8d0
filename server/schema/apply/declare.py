"""An applied configuration: whether it fits its type, and which fields it declares.

The texts are those of Kubernetes' own merge library. Unlike a decoded object, a configuration may hold nulls:
they are declared, too.
"""

from collections.abc import Iterable
from typing import Any

from server.schema import scalars
from server.schema.apply.compare import UNOWNED_FIELDS
from server.schema.apply.elements import ElementError, element_text, labels_of, path_text
from server.schema.apply.field_set import ITSELF, LEAF, Fields, Path, difference, in_order
from server.schema.apply.plan import Branch, ListPlan, Plan, StructPlan
from server.schema.nodes import ListOf, MapOf, Scalar, Struct
from server.schema.printed import printed

_TEXTS = frozenset({"string", "[]uint8", "v1.Time", "v1.MicroTime"})
_NUMBERS = frozenset({"int32", "int64", "float64"})


class ConfigurationError(ValueError):
    """The configuration does not fit the type."""

    def __init__(self, problems: Iterable[tuple[Path, str]]) -> None:
        found = [f"{path_text(path)}: {text}" if path else text for path, text in problems]
        super().__init__(
            found[0] if len(found) == 1 else "\n".join(["errors:", *(f"  {each}" for each in found)])
        )


def declared(plan: Branch, config: Any) -> Fields:
    """The fields of a configuration.

    Raises:
        ConfigurationError: it does not fit.
    """
    problems: list[tuple[Path, str]] = []
    _check(plan, config, (), problems)
    if problems:
        raise ConfigurationError(problems)
    return difference(fields_of(plan, config) or LEAF, UNOWNED_FIELDS)


def fields_of(plan: Plan, value: Any) -> Fields | None:
    """What is below the element of a value, None for nothing; the value itself only if it is a leaf."""
    if plan.leaf:
        return LEAF
    if isinstance(plan, ListPlan):
        return _of_items(plan, value)
    assert isinstance(plan, Branch)
    if not isinstance(value, dict):
        return LEAF if plan.deduced else None
    out: Fields = {}
    for key in sorted(value):
        item = value[key]
        label, child = plan.place(key)
        below = fields_of(child, item)
        if item is None or item == {}:
            below = LEAF
        elif not _is_named(plan, key):
            below = _with_itself(below)
        if below is not None:
            out[label] = below
    return out or None


def _of_items(plan: ListPlan, value: Any) -> Fields | None:
    out: Fields = {}
    for item in value if isinstance(value, list) else ():
        try:
            out[plan.label(item)] = _with_itself(fields_of(plan.items, item))
        except ElementError:
            continue
    return in_order(out) or None


def _with_itself(below: Fields | None) -> Fields:
    return {ITSELF: LEAF, **below} if below else LEAF


def _is_named(plan: Branch, key: str) -> bool:
    return isinstance(plan, StructPlan) and key in plan.places


def with_named(plan: Plan, fields: Fields) -> Fields:
    """The set, with each named field in it that has members below a member itself."""
    out: Fields = {}
    for element, below in fields.items():
        if element == ITSELF or not below:
            out[element] = below
            continue
        child, named = _child(plan, element)
        inner = with_named(child, below) if child is not None else below
        out[element] = {ITSELF: LEAF, **inner} if named and ITSELF not in inner else inner
    return out


def _child(plan: Plan, element: str) -> tuple[Plan | None, bool]:
    if isinstance(plan, ListPlan):
        return plan.items, False
    if not isinstance(plan, Branch) or not element.startswith("f:"):
        return None, False
    return plan.place(element[2:])[1], _is_named(plan, element[2:])


def _check(plan: Branch, value: Any, path: Path, problems: list[tuple[Path, str]]) -> None:
    if isinstance(plan, StructPlan):
        _check_struct(plan.struct, value, path, problems)


def _check_node(node: Any, value: Any, path: Path, problems: list[tuple[Path, str]]) -> None:
    if value is None:
        return
    if isinstance(node, Struct):
        _check_struct(node, value, path, problems)
    elif isinstance(node, ListOf):
        _check_list(node, value, path, problems)
    elif isinstance(node, MapOf):
        _check_map(node, value, path, problems)
    elif isinstance(node, Scalar):
        _check_scalar(node, value, path, problems)


def _check_struct(struct: Struct, value: Any, path: Path, problems: list[tuple[Path, str]]) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        problems.append((path, f"expected map, got &{{{printed(value)}}}"))
        return
    for key, item in value.items():
        field = struct.fields.get(key)
        inside = (*path, f"f:{key}")
        if field is not None:
            _check_node(field.node, item, inside, problems)
        elif not getattr(struct, "granular", False):
            problems.append((inside, "field not declared in schema"))
            return


def _check_map(node: MapOf, value: Any, path: Path, problems: list[tuple[Path, str]]) -> None:
    if not isinstance(value, dict):
        problems.append((path, f"expected map, got &{{{printed(value)}}}"))
        return
    for key, item in value.items():
        _check_node(node.values, item, (*path, f"f:{key}"), problems)


def _check_list(node: ListOf, value: Any, path: Path, problems: list[tuple[Path, str]]) -> None:
    if not isinstance(value, list):
        problems.append((path, f"expected list, got &{{{printed(value)}}}"))
        return
    label = labels_of(node) if node.list_type in ("set", "map") else None
    seen: set[str] = set()
    for position, item in enumerate(value):
        try:
            element = label(item) if label else f"i:{position}"
        except ElementError as error:
            problems.append((path, f"element {position}: {error}"))
            return
        if element in seen:
            problems.append((path, f"duplicate entries for key {element_text(element)}"))
        seen.add(element)
        _check_node(node.items, item, (*path, element), problems)


def _check_scalar(node: Scalar, value: Any, path: Path, problems: list[tuple[Path, str]]) -> None:
    if node.decoder is scalars.int_or_string or node.go_type not in _TEXTS | _NUMBERS | {"bool"}:
        return
    if node.go_type in _TEXTS and not isinstance(value, str):
        problems.append((path, f"expected string, got &value.valueUnstructured{{Value:{printed(value)}}}"))
    elif node.go_type in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        problems.append((path, f"expected numeric (int or float), got {_go_type(value)}"))
    elif node.go_type == "bool" and not isinstance(value, bool):
        problems.append((path, f"expected boolean, got {_go_type(value)}"))


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    names = {str: "string", int: "int64", float: "float64", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}")
