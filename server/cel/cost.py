"""What evaluation costs, in upstream's units: the formulas for calls, at run time and estimated before.

Rules are accepted or refused by the estimate, so its numbers are part of the API.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from server.cel.equality import size

STRING = 0.1
REGEX = 0.25
LIST, MAP, MESSAGE = 10, 30, 40
MOST = (1 << 64) - 1

PER_CALL = 1_000_000
"""What one evaluation may cost."""
PER_OBJECT = 10_000_000
"""What all rules of one object may cost together."""
PER_RULE_ESTIMATE = 10_000_000
PER_SCHEMA_ESTIMATE = 100_000_000

_REGEX_OF_FORMAT = 128


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most that something costs, or that its size is."""

    least: int
    most: int

    def __add__(self, other: "Range") -> "Range":
        return Range(min(self.least + other.least, MOST), min(self.most + other.most, MOST))

    def __mul__(self, other: "Range") -> "Range":
        return Range(min(self.least * other.least, MOST), min(self.most * other.most, MOST))

    def __or__(self, other: "Range") -> "Range":
        return Range(min(self.least, other.least), max(self.most, other.most))

    def scaled(self, factor: float) -> "Range":
        return Range(scaled(self.least, factor), scaled(self.most, factor))


ZERO, ONE = Range(0, 0), Range(1, 1)
UNKNOWN = Range(0, MOST)


def scaled(number: int, factor: float) -> int:
    return MOST if number * factor >= MOST else ceil(number * factor)


def traversal(value: Any) -> int:
    """The cost of looking at every part of a value."""
    if isinstance(value, str | bytes):
        return int(len(value) * STRING)
    if isinstance(value, list):
        return sum(map(traversal, value))
    if isinstance(value, dict):
        return sum(traversal(key) + traversal(each) for key, each in value.items())
    return 1


def _regex(text: int, pattern: int) -> int:
    return ceil((1 + text) * STRING) * ceil(pattern * REGEX)


def _contains_network(args: Sequence[Any], result: Any) -> int:
    return ceil(2 * size(args[0]) * STRING) + (
        ceil(size(args[1]) * STRING) if isinstance(args[1], str) else 0
    )


ACTUAL: dict[str, Callable[[Sequence[Any], Any], int]] = {
    "scan": lambda args, result: ceil(size(args[0]) * STRING),
    "scan_twice": lambda args, result: ceil(size(args[0]) * 2 * STRING),
    "result_twice": lambda args, result: ceil(size(result) * 2 * STRING),
    "prefix": lambda args, result: ceil(size(args[0]) * STRING),
    "convert": lambda args, result: ceil(size(args[0]) * STRING),
    "in_list": lambda args, result: size(args[1]),
    "compare": lambda args, result: ceil(min(size(args[0]), size(args[1])) * STRING),
    "concat": lambda args, result: ceil((size(args[0]) + size(args[1])) * STRING),
    "regex": lambda args, result: _regex(size(args[0]), size(args[1])),
    "substring_search": lambda args, result: ceil(size(args[0]) * STRING) * ceil(size(args[1]) * STRING),
    "traverse": lambda args, result: traversal(args[0]),
    "product": lambda args, result: max(1, size(args[0]) * size(args[1])),
    "format": lambda args, result: _regex(size(args[1]), _REGEX_OF_FORMAT),
    "network": _contains_network,
    "format_text": lambda args, result: max(1, ceil(size(result) * STRING)),
    "check": lambda args, result: 350_000,
}
"""By the names that declarations of functions use; anything else costs 1."""
