"""Label selectors: from text (`a=b,c in (d,e),!f`), from a LabelSelector object, from a plain map."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubeling.objects.names import label_value_errors, qualified_name_errors


class SelectorError(ValueError):
    """The text or object is not a label selector; the message says where."""


Predicate = Callable[[Mapping[str, str]], bool]
"""Says whether labels match."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label; `operator` is in, notin, exists, !, gt or lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def predicate(self) -> "Predicate":
        """The condition as a function, which is quicker than `matches` for many labels."""
        key, values = self.key, self.values
        match self.operator:
            case "in" if len(values) == 1:
                (only,) = values
                return lambda labels: labels.get(key) == only
            case "in":
                return lambda labels: labels.get(key) in values
            case "notin":
                return lambda labels: labels.get(key) not in values
            case "exists":
                return lambda labels: key in labels
            case "!":
                return lambda labels: key not in labels
            case _:
                return lambda labels: key in labels and self._compares(labels[key])

    def matches(self, labels: Mapping[str, str]) -> bool:
        return self.predicate()(labels)

    def _compares(self, value: str) -> bool:
        (bound,) = self.values
        try:
            left, right = int(value), int(bound)
        except ValueError:
            return False
        return left > right if self.operator == "gt" else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; with none, everything matches. `nothing` matches no labels at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @property
    def empty(self) -> bool:
        """Whether everything matches."""
        return not self.requirements and not self.nothing

    def predicate(self) -> "Predicate":
        """The selector as a function, which is quicker than `matches` for many labels."""
        if self.nothing:
            return lambda labels: False
        tests = [requirement.predicate() for requirement in self.requirements]
        if len(tests) == 1:
            return tests[0]
        return lambda labels: all(test(labels) for test in tests)

    def matches(self, labels: Mapping[str, str]) -> bool:
        return self.predicate()(labels)


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)

_TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|<|>|[^\s=!,()<>]+)")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _error(self, found: str, *expected: str) -> SelectorError:
        wanted = " or ".join(f"'{each}'" for each in expected)
        return SelectorError(f"unable to parse requirement: found '{found}', expected: {wanted}")

    def parse(self) -> Selector:
        requirements: list[Requirement] = []
        while self._peek():
            requirements.append(self._requirement())
            separator = self._next()
            if not separator:
                break
            if separator != ",":
                raise self._error(separator, ",", "end of string")
            if not self._peek():
                raise self._error("", "identifier after ','")
        return Selector(tuple(requirements))

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = _checked_key(self._identifier())
        if negated:
            return Requirement(key, "!")
        operator = self._peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self._next()
        return self._comparison(key, operator)

    def _comparison(self, key: str, operator: str) -> Requirement:
        match operator:
            case "=" | "==":
                return Requirement(key, "in", frozenset({self._value()}))
            case "!=":
                return Requirement(key, "notin", frozenset({self._value()}))
            case "in" | "notin":
                return Requirement(key, operator, self._values())
            case ">" | "<":
                bound = self._value()
                if not re.fullmatch(r"[+-]?\d+", bound):
                    raise SelectorError(
                        f"unable to parse requirement: the value of {operator} must be an integer"
                    )
                return Requirement(key, "gt" if operator == ">" else "lt", frozenset({bound}))
            case _:
                raise self._error(operator, "in", "notin", "=", "==", "!=", "gt", "lt")

    def _identifier(self) -> str:
        token = self._next()
        if not token or token in ("=", "==", "!=", "!", ",", "(", ")", "<", ">"):
            raise self._error(token, "identifier")
        return str(token)

    def _value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        return _checked_value(self._identifier())

    def _values(self) -> frozenset[str]:
        if self._next() != "(":
            raise self._error(self._tokens[self._at - 1] if self._at <= len(self._tokens) else "", "(")
        values: set[str] = set()
        while True:
            if self._peek() in (",", ")"):
                values.add("")
            else:
                values.add(_checked_value(self._identifier()))
            end = self._next()
            if end == ")":
                return frozenset(values)
            if end != ",":
                raise self._error(end, ",", ")")


def _checked_key(key: str) -> str:
    if errors := qualified_name_errors(key):
        raise SelectorError(f'unable to parse requirement: key: Invalid value: "{key}": {"; ".join(errors)}')
    return key


def _checked_value(value: str) -> str:
    if errors := label_value_errors(value):
        raise SelectorError(
            f'unable to parse requirement: values[0]: Invalid value: "{value}": {"; ".join(errors)}'
        )
    return value


def parse_selector(text: str) -> Selector:
    """The selector of a `labelSelector` query parameter; empty text matches everything.

    Raises:
        SelectorError: the text is not a selector.
    """
    return _Parser(text).parse() if text.strip() else EVERYTHING


def from_map(labels: Mapping[str, str]) -> Selector:
    """Labels that must all be present with these values (a Service's or ReplicationController's selector)."""
    return Selector(
        tuple(Requirement(key, "in", frozenset({value})) for key, value in sorted(labels.items()))
    )


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """A LabelSelector object: null matches nothing, an empty one everything.

    Raises:
        SelectorError: an operator is unknown, or has values where it takes none or the reverse.
    """
    if selector is None:
        return NOTHING
    found = from_map(selector.get("matchLabels") or {}).requirements
    expressions = selector.get("matchExpressions") or []
    return Selector(found + tuple(from_expression(expression) for expression in expressions))


def from_expression(expression: Mapping[str, Any]) -> Requirement:
    """One of a LabelSelector's or NodeSelectorTerm's matchExpressions."""
    key, name = str(expression.get("key", "")), str(expression.get("operator", ""))
    values = frozenset(str(value) for value in expression.get("values") or [])
    operator = _OPERATORS.get(name)
    if operator is None:
        raise SelectorError(f'"{name}" is not a valid label selector operator')
    if operator in ("exists", "!") and values:
        raise SelectorError(f"values must be empty for the operator {name}")
    if operator in ("in", "notin") and not values:
        raise SelectorError(f"values must not be empty for the operator {name}")
    if operator in ("gt", "lt") and len(values) != 1:
        raise SelectorError(f"exactly one value must be given for the operator {name}")
    return Requirement(_checked_key(key), operator, values)
