"""What is wrong with the rules that a schema declares: their form, their types, what they may cost."""

from dataclasses import dataclass, field
from typing import Any

from kubeling.objects.errors import Cause
from server.cel.cost import MOST, PER_RULE_ESTIMATE, PER_SCHEMA_ESTIMATE
from server.cel.types import Decl, ObjectType
from server.schema import causes
from server.schema.custom.rule import Rule, compiled_rule
from server.schema.custom.rule_types import REQUEST, declared, escaped

Schema = dict[str, Any]

_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and"
    " strings are declared)"
)
_TOLD = 4


@dataclass
class Costs:
    """The estimates of all rules of a schema."""

    total: int = 0
    largest: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        self.total = min(self.total + cost, MOST)
        if cost >= PER_SCHEMA_ESTIMATE // 100:
            self.largest = sorted([*self.largest, (cost, path)], key=lambda each: -each[0])[:_TOLD]

    def causes(self, path: str) -> list[Cause]:
        if self.total <= PER_SCHEMA_ESTIMATE:
            return []
        detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        found = [causes.forbidden(where, detail) for _, where in self.largest]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        return [*found, causes.forbidden(path, _excess(what, self.total, PER_SCHEMA_ESTIMATE))]


@dataclass(frozen=True)
class _Place:
    path: str
    cardinality: int | None
    """How many values there can be; None when nothing bounds them but the size of a request."""
    uncorrelated: str = ""
    """The list around it that hides the old values; empty when there is none."""


def expression_causes(schema: Schema, path: str) -> list[Cause]:
    """What is wrong with the expressions of a schema that is right otherwise."""
    costs = Costs()
    found: list[Cause] = []
    _visit(schema, declared(schema, resource=True), _Place(path, 1), costs, found)
    return found + costs.causes(path)


def _visit(schema: Schema, decl: Decl | None, place: _Place, costs: Costs, found: list[Cause]) -> None:
    for position, each in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = f"{place.path}.x-kubernetes-validations[{position}]"
        if decl is None:
            detail = "internal error: failed to retrieve type information for x-kubernetes-validations"
            found.append(causes.internal(f"{place.path}.x-kubernetes-validations", detail))
            break
        found += _rule_causes(each, compiled_rule(each, schema, decl), where, place, decl, costs)
    if isinstance(schema.get("items"), dict):
        hidden = "" if schema.get("x-kubernetes-list-type") == "map" else place.path
        inner = _inner(place, f"{place.path}.items", schema.get("maxItems"), hidden)
        _visit(schema["items"], decl.element if decl else None, inner, costs, found)
    if isinstance(schema.get("additionalProperties"), dict):
        inner = _inner(place, f"{place.path}.additionalProperties", schema.get("maxProperties"), "")
        _visit(schema["additionalProperties"], decl.element if decl else None, inner, costs, found)
    for name, each in (schema.get("properties") or {}).items():
        inner = _Place(f"{place.path}.properties[{name}]", place.cardinality, place.uncorrelated)
        _visit(each, _property(name, each, decl), inner, costs, found)


def _inner(place: _Place, path: str, most: int | None, hidden: str) -> _Place:
    unbounded = place.cardinality is None or most is None
    cardinality = None if unbounded else (place.cardinality or 0) * (most or 0)
    return _Place(path, cardinality, place.uncorrelated or hidden)


def _property(name: str, schema: Schema, decl: Decl | None) -> Decl | None:
    known_as = escaped(name)
    if known_as is None:
        return declared(schema, resource=bool(schema.get("x-kubernetes-embedded-resource")))
    if decl is None or not isinstance(decl.type, ObjectType) or known_as not in decl.type.fields:
        return None
    return decl.type.fields[known_as].decl


def _rule_causes(
    declaration: Schema, rule: Rule, path: str, place: _Place, decl: Decl, costs: Costs
) -> list[Cause]:
    found: list[Cause] = []
    many = place.cardinality if place.cardinality is not None else REQUEST // (decl.min_size + 1)
    cost = min(rule.cost.most * many, MOST)
    if cost > PER_RULE_ESTIMATE:
        found.append(
            causes.forbidden(f"{path}.rule", _excess("estimated rule cost", cost, PER_RULE_ESTIMATE))
        )
    costs.add(f"{path}.rule", cost)
    shown = _shown(declaration)
    if rule.error:
        found.append(causes.invalid(f"{path}.rule", shown, rule.error))
    if rule.message_error:
        found.append(causes.invalid(f"{path}.messageExpression", shown, rule.message_error))
    elif rule.messages is not None:
        if rule.message_cost.most > PER_RULE_ESTIMATE:
            detail = _excess("estimated messageExpression cost", rule.message_cost.most, PER_RULE_ESTIMATE)
            found.append(causes.forbidden(f"{path}.messageExpression", detail))
        costs.add(f"{path}.messageExpression", rule.message_cost.most)
    return found + _old_causes(declaration, rule, path, place)


def _old_causes(declaration: Schema, rule: Rule, path: str, place: _Place) -> list[Cause]:
    if rule.uses_old and place.uncorrelated:
        detail = (
            f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.uncorrelated}"
        )
        return [causes.invalid(f"{path}.rule", declaration.get("rule"), detail)]
    optional = declaration.get("optionalOldSelf")
    if not rule.uses_old and optional is not None:
        detail = "may not be set if oldSelf is not used in rule"
        return [causes.invalid(f"{path}.optionalOldSelf", optional, detail)]
    return []


def _excess(what: str, cost: int, limit: int) -> str:
    times = cost / limit
    factor = "more than 100x" if times > 100 else f"{times:.6f}x" if times < 1.5 else f"{times:.1f}x"
    return f"{what} exceeds budget by factor of {factor} {_ADVICE}"


def _shown(declaration: Schema) -> dict[str, Any]:
    """A rule as upstream's errors show it: with the names of Go's fields."""
    return {
        "Rule": declaration.get("rule", ""),
        "Message": declaration.get("message", ""),
        "MessageExpression": declaration.get("messageExpression", ""),
        "Reason": declaration.get("reason"),
        "FieldPath": declaration.get("fieldPath", ""),
        "OptionalOldSelf": declaration.get("optionalOldSelf"),
    }
