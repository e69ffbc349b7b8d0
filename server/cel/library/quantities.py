"""Kubernetes' quantities and semantic versions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from kubeling.objects import quantity
from server.cel.errors import EvaluationError
from server.cel.functions import Library

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member


@dataclass(frozen=True, slots=True)
class Quantity:
    type_name: ClassVar[str] = "kubernetes.Quantity"
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Semver:
    type_name: ClassVar[str] = "kubernetes.Semver"
    core: tuple[int, int, int]
    pre: tuple[tuple[int, int, str], ...]
    """Each part as something that orders: numbers first, by length. None at all is later than any."""


def _quantity(text: str) -> Quantity:
    try:
        return Quantity(quantity.parse(text))
    except quantity.QuantityError as error:
        raise EvaluationError(str(error)) from error


def _succeeds(make: Callable[..., Any]) -> Callable[..., bool]:
    def check(*args: Any) -> bool:
        try:
            make(*args)
        except EvaluationError:
            return False
        return True

    return check


def _compared(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _as_integer(value: Quantity) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(value.amount)


def _is_integer(value: Quantity) -> bool:
    return value.amount == int(value.amount) and -(1 << 63) <= value.amount < 1 << 63


_function("quantity", "string -> kubernetes.Quantity", cost="scan")(_quantity)
_function("isQuantity", "string -> bool", cost="scan")(_succeeds(_quantity))
_member("sign", "kubernetes.Quantity -> int")(lambda value: _compared(value.amount, 0))
_member("isInteger", "kubernetes.Quantity -> bool")(_is_integer)
_member("asInteger", "kubernetes.Quantity -> int")(_as_integer)
_member("asApproximateFloat", "kubernetes.Quantity -> double")(lambda value: float(value.amount))
_member("isGreaterThan", "kubernetes.Quantity, kubernetes.Quantity -> bool")(lambda a, b: a.amount > b.amount)
_member("isLessThan", "kubernetes.Quantity, kubernetes.Quantity -> bool")(lambda a, b: a.amount < b.amount)
_member("compareTo", "kubernetes.Quantity, kubernetes.Quantity -> int")(
    lambda a, b: _compared(a.amount, b.amount)
)
_PAIR = "kubernetes.Quantity, kubernetes.Quantity -> kubernetes.Quantity"
_MIXED = "kubernetes.Quantity, int -> kubernetes.Quantity"
_member("add", _PAIR)(lambda a, b: Quantity(a.amount + b.amount))
_member("sub", _PAIR)(lambda a, b: Quantity(a.amount - b.amount))
_member("add", _MIXED)(lambda a, b: Quantity(a.amount + b))
_member("sub", _MIXED)(lambda a, b: Quantity(a.amount - b))

_NUMBER = r"(0|[1-9]\d{0,17})"
_PRE = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PRE}(?:\.{_PRE})*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def _normal(text: str) -> str:
    """A version with a v before it, parts left out, or zeros before numbers, as one without."""
    text = text.removeprefix("v")
    core, mark, rest = re.sub(r"([-+])", r"\n\1", text, count=1).partition("\n")
    parts = [part.lstrip("0") or "0" if part else part for part in core.split(".")]
    return ".".join(parts + ["0"] * (3 - len(parts))) + (rest if mark else "")


def _semver(text: str, normalize: bool = False) -> Semver:
    found = _SEMVER.fullmatch(_normal(text) if normalize else text)
    if found is None:
        raise EvaluationError(f"invalid semantic version: {text}")
    parts = found[4].split(".") if found[4] else []
    pre = tuple((0, len(part), part) if part.isdigit() else (1, 0, part) for part in parts)
    return Semver((int(found[1]), int(found[2]), int(found[3])), pre)


def _order(value: Semver) -> Any:
    return value.core, not value.pre, value.pre


_function("semver", "string -> kubernetes.Semver", cost="scan")(_semver)
_function("semver", "string, bool -> kubernetes.Semver", cost="scan")(_semver)
_function("isSemver", "string -> bool", cost="scan")(_succeeds(_semver))
_function("isSemver", "string, bool -> bool", cost="scan")(_succeeds(_semver))
_member("major", "kubernetes.Semver -> int")(lambda value: value.core[0])
_member("minor", "kubernetes.Semver -> int")(lambda value: value.core[1])
_member("patch", "kubernetes.Semver -> int")(lambda value: value.core[2])
_member("isGreaterThan", "kubernetes.Semver, kubernetes.Semver -> bool")(lambda a, b: _order(a) > _order(b))
_member("isLessThan", "kubernetes.Semver, kubernetes.Semver -> bool")(lambda a, b: _order(a) < _order(b))
_member("compareTo", "kubernetes.Semver, kubernetes.Semver -> int")(
    lambda a, b: _compared(_order(a), _order(b))
)
