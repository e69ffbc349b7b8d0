"""Kubernetes' functions of lists, and the sets extension."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from server.cel.equality import contains, equal
from server.cel.errors import EvaluationError
from server.cel.functions import Library
from server.cel.values import Duration, Uint

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member

_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_ZEROS: dict[str, Any] = {"int": 0, "uint": Uint(0), "double": 0.0, "duration": Duration(0)}


def _is_sorted(items: list[Any]) -> bool:
    try:
        return all(one <= other for one, other in pairwise(items))
    except TypeError:
        raise EvaluationError("no such overload") from None


def _extreme(choose: Callable[[list[Any]], Any], word: str) -> Callable[[list[Any]], Any]:
    def found(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{word} called on empty list")
        try:
            return choose(items)
        except TypeError:
            raise EvaluationError("no such overload") from None

    return found


def _sum(zero: Any) -> Callable[[list[Any]], Any]:
    def total(items: list[Any]) -> Any:
        if isinstance(zero, Duration):
            return Duration(sum(each.nanoseconds for each in items))
        found = sum(items)
        if isinstance(zero, float):
            return float(found)
        if not -(1 << 63) <= found < (1 << 64 if type(zero) is Uint else 1 << 63):
            raise EvaluationError("integer overflow")
        return type(zero)(found)

    return total


for _type in _COMPARABLE:
    _member("isSorted", f"list<{_type}> -> bool", cost="traverse")(_is_sorted)
    _member("min", f"list<{_type}> -> {_type}", cost="traverse")(_extreme(min, "min"))
    _member("max", f"list<{_type}> -> {_type}", cost="traverse")(_extreme(max, "max"))
for _type, _zero in _ZEROS.items():
    _member("sum", f"list<{_type}> -> {_type}", cost="traverse")(_sum(_zero))


@_member("indexOf", "list<A>, A -> int", cost="traverse")
def _index(items: list[Any], value: Any) -> int:
    return next((at for at, each in enumerate(items) if equal(each, value)), -1)


@_member("lastIndexOf", "list<A>, A -> int", cost="traverse")
def _last_index(items: list[Any], value: Any) -> int:
    return next((at for at in range(len(items) - 1, -1, -1) if equal(items[at], value)), -1)


@_function("sets.contains", "list<A>, list<A> -> bool", cost="product")
def _contains(items: list[Any], others: list[Any]) -> bool:
    return all(contains(items, each) for each in others)


@_function("sets.intersects", "list<A>, list<A> -> bool", cost="product")
def _intersects(items: list[Any], others: list[Any]) -> bool:
    return any(contains(items, each) for each in others)


@_function("sets.equivalent", "list<A>, list<A> -> bool", cost="product")
def _equivalent(items: list[Any], others: list[Any]) -> bool:
    return _contains(items, others) and _contains(others, items)
