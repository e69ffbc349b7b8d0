"""The rules of a schema (x-kubernetes-validations) compiled, and checked on objects."""

from typing import Any

from kubeling.objects.errors import Cause
from server.cel.cost import PER_OBJECT
from server.cel.types import Decl, ObjectType
from server.schema.causes import Tolerated
from server.schema.custom.items import by_keys, key_of
from server.schema.custom.rule import BudgetExceeded, Evaluation, compiled_rule
from server.schema.custom.rule_types import declared, escaped
from server.schema.custom.values import ABSENT, same

Schema = dict[str, Any]


class RuleSet:
    """The rules of a whole schema."""

    def __init__(self, root: "RuleNode") -> None:
        self._root = root

    def causes(self, obj: Any, old: Any) -> list[Cause]:
        """What the rules say of an object; with the old one, transition rules are checked, too.

        What has not changed is `Tolerated`.
        """
        evaluation = Evaluation(PER_OBJECT)
        before = ABSENT if old is None else old
        try:
            self._root.check(evaluation, obj, before, "", unchanged=same(obj, before))
        except BudgetExceeded as stopped:
            return stopped.found
        return evaluation.found


class RuleNode:
    """The rules of one schema and the nodes of those below it that have any."""

    def __init__(self, schema: Schema, decl: Decl) -> None:
        self.kind = str(schema.get("type") or "")
        self.rules = [
            compiled_rule(each, schema, decl) for each in schema.get("x-kubernetes-validations") or ()
        ]
        self._convert = decl.convert
        self._keys = _keys(schema)
        self.properties = _properties(schema, decl)
        self.items = _child(schema.get("items"), decl.element)
        self.others = _child(schema.get("additionalProperties"), decl.element)

    @property
    def empty(self) -> bool:
        return not (self.rules or self.properties or self.items or self.others)

    def check(self, evaluation: Evaluation, value: Any, old: Any, path: str, *, unchanged: bool) -> None:
        """Checks a value and what is in it.

        `unchanged` says that the value, or the nearest around it that can be compared, is as it was.
        """
        if value is None:
            return
        if self.rules:
            self._check_rules(evaluation, value, ABSENT if old is None else old, path, unchanged=unchanged)
        if type(value) is dict:
            self._check_fields(evaluation, value, old, path, unchanged=unchanged)
        elif type(value) is list and self.items is not None:
            self._check_items(evaluation, value, old, path, unchanged=unchanged)

    def _check_rules(
        self, evaluation: Evaluation, value: Any, old: Any, path: str, *, unchanged: bool
    ) -> None:
        variables = (value, old)
        if self._convert is not None:
            variables = (self._convert(value), old if old is ABSENT else self._convert(old))
        for rule in self.rules:
            cause = evaluation.check(rule, variables, value, path=path, kind=self.kind, absent=ABSENT)
            if cause is not None:
                refused = rule.uses_old or not unchanged
                evaluation.found.append(cause if refused else Tolerated(*cause))

    def _check_fields(
        self, evaluation: Evaluation, value: dict[str, Any], old: Any, path: str, *, unchanged: bool
    ) -> None:
        was: dict[str, Any] = old if type(old) is dict else {}
        for name, node in self.properties.items():
            if name in value:
                self._check_below(
                    evaluation, node, value[name], was.get(name, ABSENT), f"{path}.{name}", unchanged
                )
        if self.others is not None:
            for name, item in value.items():
                self._check_below(
                    evaluation, self.others, item, was.get(name, ABSENT), f"{path}[{name}]", unchanged
                )

    def _check_items(
        self, evaluation: Evaluation, value: list[Any], old: Any, path: str, *, unchanged: bool
    ) -> None:
        assert self.items is not None
        before = by_keys(old, self._keys) if self._keys and type(old) is list else {}
        for position, item in enumerate(value):
            was = before.get(key_of(item, self._keys), ABSENT) if before else ABSENT
            self._check_below(evaluation, self.items, item, was, f"{path}[{position}]", unchanged)

    def _check_below(
        self, evaluation: Evaluation, node: "RuleNode", value: Any, old: Any, path: str, unchanged: bool
    ) -> None:
        if old is not ABSENT:
            unchanged = unchanged or same(value, old)
        node.check(evaluation, value, old, path, unchanged=unchanged)


def _keys(schema: Schema) -> tuple[str, ...]:
    is_map = schema.get("x-kubernetes-list-type") == "map"
    return tuple(schema.get("x-kubernetes-list-map-keys") or ()) if is_map else ()


def _child(schema: Any, decl: Decl | None) -> "RuleNode | None":
    if not isinstance(schema, dict) or decl is None:
        return None
    node = RuleNode(schema, decl)
    return None if node.empty else node


def _properties(schema: Schema, decl: Decl) -> dict[str, "RuleNode"]:
    found: dict[str, RuleNode] = {}
    for name, each in (schema.get("properties") or {}).items():
        node = _child(each, _field_decl(name, each, decl))
        if node is not None:
            found[name] = node
    return found


def _field_decl(name: str, schema: Schema, decl: Decl) -> Decl | None:
    """The declaration of a property; of one that rules cannot name, one of its own."""
    known_as = escaped(name)
    if known_as is None:
        return declared(schema, resource=bool(schema.get("x-kubernetes-embedded-resource")))
    if not isinstance(decl.type, ObjectType) or known_as not in decl.type.fields:
        return None
    return decl.type.fields[known_as].decl


def rule_set(schema: Schema) -> RuleSet | None:
    """The rules of a schema; None when it has none."""
    decl = declared(schema, resource=True)
    return RuleSet(RuleNode(schema, decl)) if decl is not None else None
