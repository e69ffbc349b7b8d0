"""Resource quantities (`100m`, `1.5Gi`, `1e3`): parsing, rounding up, and the canonical form.

Amounts are Decimals in the base unit (cores, bytes); less than a nano rounds up to one, as upstream.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_PATTERN = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?"
)
_NANO = Decimal("1e-9")
_LARGEST = Decimal(2**63 - 1)
_MOST_DIGITS = 1100
"""Before the decimal point: more cannot be made small by an exponent of three digits."""


class QuantityError(ValueError):
    """The text is not a quantity."""

    def __init__(self) -> None:
        super().__init__(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )


def parse(text: str | int | float) -> Decimal:
    """The amount in base units.

    Raises:
        QuantityError: the text is not a quantity.
    """
    return _parsed(str(text))[0]


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Decimal, str]:
    """The amount and the suffix's family: binary, decimal or exponent."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise QuantityError
    number, suffix, exponent = match.groups()
    amount = Decimal(number)
    if amount.adjusted() > _MOST_DIGITS:
        return _LARGEST.copy_sign(amount), "decimal"
    family = "exponent" if exponent is not None else "binary" if suffix in _BINARY else "decimal"
    if exponent is not None:
        amount = amount.scaleb(int(exponent))
    elif suffix in _BINARY:
        amount *= 1024 ** _BINARY[suffix]
    else:
        amount = amount.scaleb(_DECIMAL[suffix or ""])
    return _rounded(amount), family


def _rounded(amount: Decimal) -> Decimal:
    if abs(amount) >= _LARGEST:
        return _LARGEST.copy_sign(amount)
    nanos = abs(amount).quantize(_NANO, rounding=ROUND_CEILING)
    return nanos.copy_sign(amount) if nanos else Decimal(0)


@lru_cache(maxsize=4096, typed=True)
def milli(text: str | int | float) -> int:
    """The amount in thousandths (millicores for cpu), rounded up."""
    return _ceiling(parse(text) * 1000)


def value(text: str | int | float) -> int:
    """The amount in whole base units (bytes for memory), rounded up."""
    return _ceiling(parse(text))


def _ceiling(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))


def canonical(text: str | int | float) -> str:
    """The text as Kubernetes writes the quantity back: `1000m` becomes `1`, `1024Mi` `1Gi`, `0.5` `500m`.

    Raises:
        QuantityError: the text is not a quantity.
    """
    amount, family = _parsed(str(text))
    return format_quantity(amount, family)


def add(one: str | int | float, other: str | int | float) -> str:
    """The sum, in the form of `one` - of `other` when `one` is nothing - as upstream's Quantity.Add."""
    (left, form), (right, second) = _parsed(str(one)), _parsed(str(other))
    return format_quantity(_rounded(left + right), form if left else second)


def total(amounts: Iterable[str]) -> str:
    """As `add`, of any number of amounts."""
    found, form = Decimal(0), "decimal"
    for text in amounts:
        amount, own = _parsed(text)
        form = form if found else own
        found += amount
    return format_quantity(_rounded(found), form)


def subtract(one: str | int | float, other: str | int | float) -> str:
    """The difference, in the form of `one` unless that is nothing."""
    (left, form), (right, second) = _parsed(str(one)), _parsed(str(other))
    return format_quantity(_rounded(left - right), form if left else second)


def format_quantity(amount: Decimal, family: str = "decimal") -> str:
    """The amount with the largest suffix of its family (binary, decimal, exponent) that keeps it whole."""
    if not amount:
        return "0"
    if family == "binary":
        if abs(amount) >= 1024 and amount == amount.to_integral_value():
            return _binary(int(amount))
        family = "decimal"
    exponent = 0
    while exponent > -9 and amount.scaleb(-exponent) != amount.scaleb(-exponent).to_integral_value():
        exponent -= 3
    while exponent < 18 and amount.scaleb(-exponent - 3) == amount.scaleb(-exponent - 3).to_integral_value():
        exponent += 3
    number = int(amount.scaleb(-exponent))
    if family == "exponent":
        return f"{number}e{exponent}" if exponent else str(number)
    suffix = next(name for name, power in _DECIMAL.items() if power == exponent)
    return f"{number}{suffix}"


def _binary(amount: int) -> str:
    power = 0
    while power < 6 and amount % 1024 == 0:
        amount, power = amount // 1024, power + 1
    suffix = next((name for name, each in _BINARY.items() if each == power), "")
    return f"{amount}{suffix}"
