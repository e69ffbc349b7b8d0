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
        left, right = _integer(value), _integer(bound)
        if left is None or right is None:
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
        equal = _as_map(self.requirements)
        if equal is not None and len(equal) > 1:
            wanted = equal.items()
            return lambda labels: wanted <= labels.items()
        tests = [requirement.predicate() for requirement in self.requirements]
        if len(tests) == 1:
            return tests[0]
        return lambda labels: all(test(labels) for test in tests)

    def matches(self, labels: Mapping[str, str]) -> bool:
        return self.predicate()(labels)


def _as_map(requirements: tuple[Requirement, ...]) -> dict[str, str] | None:
    """The labels that are asked for, if no more is asked than that they are there with one value each."""
    wanted: dict[str, str] = {}
    for each in requirements:
        if each.operator != "in" or len(each.values) != 1 or each.key in wanted:
            return None
        (wanted[each.key],) = each.values
    return wanted


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)

_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|=|!|,|\(|\)|<|>|[^ \t\r\n=!,()<>]+)")
_SYMBOLS = frozenset({"=", "==", "!=", "!", ",", "(", ")", "<", ">"})
_BINARY = "in, notin, =, ==, !=, gt, lt"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64 = range(-(2**63), 2**63)


class _Parser:
    """Upstream's grammar, with its messages: clients show them, and its own tests look for them."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def parse(self) -> Selector:
        requirements: list[Requirement] = []
        while found := self._peek():
            if found in _SYMBOLS and found != "!":
                raise _unexpected(found, ", expected: !, identifier, or 'end of string'")
            requirements.append(self._wrapped())
            separator = self._next()
            if not separator:
                break
            if separator != ",":
                raise _unexpected(separator, ", expected: ',' or 'end of string'")
            following = self._peek()
            if not following or (following in _SYMBOLS and following != "!"):
                raise _unexpected(following, ", expected: identifier after ','")
        return Selector(tuple(requirements))

    def _wrapped(self) -> Requirement:
        try:
            return self._requirement()
        except SelectorError as error:
            raise SelectorError(f"unable to parse requirement: {error}") from error

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = _checked_key(self._identifier())
        if negated:
            return Requirement(key, "!")
        if self._peek() in ("", ","):
            return Requirement(key, "exists")
        return self._comparison(key, self._next())

    def _comparison(self, key: str, operator: str) -> Requirement:
        match operator:
            case "=" | "==":
                return Requirement(key, "in", _checked_values(key, {self._value()}))
            case "!=":
                return Requirement(key, "notin", _checked_values(key, {self._value()}))
            case "in" | "notin":
                return Requirement(key, operator, _checked_values(key, self._values()))
            case ">" | "<":
                bound = _checked_values(key, {self._value()}, integer=True)
                return Requirement(key, "gt" if operator == ">" else "lt", bound)
            case _:
                raise _unexpected(operator, f", expected: {_BINARY}")

    def _identifier(self) -> str:
        token = self._next()
        if not token or token in _SYMBOLS:
            raise _unexpected(token, ", expected: identifier")
        return str(token)

    def _value(self) -> str:
        return "" if self._peek() in ("", ",") else self._identifier()

    def _values(self) -> set[str]:
        opening = self._next()
        if opening != "(":
            raise _unexpected(opening, " expected: '('")
        first = self._peek()
        if first == ")":
            self._next()
            return {""}
        if not first or (first in _SYMBOLS and first != ","):
            raise _unexpected(first, ", expected: ',', ')' or identifier")
        return self._listed()

    def _listed(self) -> set[str]:
        """The values up to the closing parenthesis; two commas in a row, or one at an end, mean ""."""
        values: set[str] = set()
        while True:
            token = self._next()
            if token == ",":
                values |= {""} if not values or self._peek() in (",", ")") else set()
                if self._peek() == ",":
                    self._next()
            elif token and token not in _SYMBOLS:
                values.add(token)
                if self._peek() not in (",", ")"):
                    raise _unexpected(self._peek(), ", expected: ',' or ')'")
            else:
                raise _unexpected(token, ", expected: ',', or identifier")
            if self._peek() == ")":
                self._next()
                return values


def _unexpected(found: str, expected: str) -> SelectorError:
    return SelectorError(f"found '{found}'{expected}")


def _checked_key(key: str) -> str:
    if errors := qualified_name_errors(key):
        raise SelectorError(f'<nil>: Invalid value: "{key}": {"; ".join(errors)}')
    return key


def _checked_values(key: str, values: set[str], *, integer: bool = False) -> frozenset[str]:
    problems = []
    for position, value in enumerate(sorted(values)):
        if integer and _integer(value) is None:
            why = "for 'Gt', 'Lt' operators, the value must be an integer"
            problems.append(f'values[{position}]: Invalid value: "{value}": {why}')
    for position, value in enumerate(sorted(values)):
        if errors := label_value_errors(value):
            problems.append(f'values[{position}][{key}]: Invalid value: "{value}": {"; ".join(errors)}')
    if problems:
        raise SelectorError(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return frozenset(values)


def _integer(text: str) -> int | None:
    """A number as Kubernetes reads one: of 64 bits, and digits only."""
    if len(text) > 63 or not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if number in _INT64 else None


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
