"""Operators, conversions between types, and what belongs to every type."""

from typing import Any

from server.cel.equality import contains, equal
from server.cel.errors import CostExceeded, EvaluationError
from server.cel.functions import Library
from server.cel.types import name_of
from server.cel.values import Duration, MapList, Optional, SetList, Timestamp, TypeOf, Uint

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member

_MIN, _MAX, _MAX_UINT = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
_LONGEST_LIST = 1_000_000
"""Items that a list made by adding may have: adding costs 1, however long the lists are."""


def _int(value: int) -> int:
    if not _MIN <= value <= _MAX:
        raise EvaluationError("integer overflow")
    return value


def _uint(value: int) -> Uint:
    if not 0 <= value <= _MAX_UINT:
        raise EvaluationError("unsigned integer overflow")
    return Uint(value)


def _divisor(value: int, word: str = "division") -> int:
    if value == 0:
        raise EvaluationError(f"{word} by zero")
    return value


def _quotient(one: int, other: int) -> int:
    found = abs(one) // abs(_divisor(other))
    return found if (one < 0) == (other < 0) else -found


def _remainder(one: int, other: int) -> int:
    return one - _divisor(other, "modulus") * _quotient(one, other)


def _float_quotient(one: float, other: float) -> float:
    if other == 0:
        return float("nan") if one == 0 or one != one else float("inf") * (1 if one > 0 else -1)
    return one / other


_function("_+_", "int, int -> int")(lambda a, b: _int(a + b))
_function("_-_", "int, int -> int")(lambda a, b: _int(a - b))
_function("_*_", "int, int -> int")(lambda a, b: _int(a * b))
_function("_/_", "int, int -> int")(lambda a, b: _int(_quotient(a, b)))
_function("_%_", "int, int -> int")(_remainder)
_function("-_", "int -> int")(lambda a: _int(-a))
_function("_+_", "uint, uint -> uint")(lambda a, b: _uint(int(a) + int(b)))
_function("_-_", "uint, uint -> uint")(lambda a, b: _uint(int(a) - int(b)))
_function("_*_", "uint, uint -> uint")(lambda a, b: _uint(int(a) * int(b)))
_function("_/_", "uint, uint -> uint")(lambda a, b: Uint(int(a) // _divisor(int(b))))
_function("_%_", "uint, uint -> uint")(lambda a, b: Uint(int(a) % _divisor(int(b), "modulus")))
_function("_+_", "double, double -> double")(lambda a, b: a + b)
_function("_-_", "double, double -> double")(lambda a, b: a - b)
_function("_*_", "double, double -> double")(lambda a, b: a * b)
_function("_/_", "double, double -> double")(_float_quotient)
_function("-_", "double -> double")(lambda a: -a)
_function("_+_", "string, string -> string", cost="concat", id="add_string")(lambda a, b: a + b)
_function("_+_", "bytes, bytes -> bytes", cost="concat", id="add_bytes")(lambda a, b: a + b)
_function("_+_", "timestamp, duration -> timestamp")(lambda a, b: Timestamp(a.nanoseconds + b.nanoseconds))
_function("_+_", "duration, timestamp -> timestamp")(lambda a, b: Timestamp(a.nanoseconds + b.nanoseconds))
_function("_+_", "duration, duration -> duration")(lambda a, b: Duration(a.nanoseconds + b.nanoseconds))
_function("_-_", "duration, duration -> duration")(lambda a, b: Duration(a.nanoseconds - b.nanoseconds))
_function("_-_", "timestamp, timestamp -> duration")(lambda a, b: Duration(a.nanoseconds - b.nanoseconds))
_function("_-_", "timestamp, duration -> timestamp")(lambda a, b: Timestamp(a.nanoseconds - b.nanoseconds))
_function("-_", "duration -> duration")(lambda a: Duration(-a.nanoseconds))


@_function("_+_", "list<A>, list<A> -> list<A>", id="add_list")
def _add_lists(one: list[Any], other: list[Any]) -> list[Any]:
    """Lists of type set and map are merged, others follow each other."""
    if len(one) + len(other) > _LONGEST_LIST:
        raise CostExceeded
    if isinstance(one, SetList):
        return SetList([*one, *(each for each in other if not contains(one, each))])
    return _merged(one, other) if isinstance(one, MapList) else [*one, *other]


def _merged(one: MapList, other: list[Any]) -> MapList:
    """What is in both is the other's, in the first one's place."""
    found = MapList(one)
    found.keys = one.keys
    places = {_key(each, one.keys): at for at, each in enumerate(found)}
    for each in other:
        place = places.get(_key(each, one.keys))
        if place is None:
            found.append(each)
        else:
            found[place] = each
    return found


def _key(item: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(repr(item.get(key)) for key in keys) if isinstance(item, dict) else (repr(item),)


for _type in ("string", "bytes"):
    for _name, _call in (
        ("_<_", lambda a, b: a < b),
        ("_<=_", lambda a, b: a <= b),
        ("_>_", lambda a, b: a > b),
        ("_>=_", lambda a, b: a >= b),
    ):
        _function(_name, f"{_type}, {_type} -> bool", cost="compare", id=f"compare{_name}{_type}")(_call)
_NUMBERS = ("int", "uint", "double")
for _types in [(a, b) for a in _NUMBERS for b in _NUMBERS] + [
    (each, each) for each in ("bool", "timestamp", "duration")
]:
    _function("_<_", f"{_types[0]}, {_types[1]} -> bool")(lambda a, b: a < b)
    _function("_<=_", f"{_types[0]}, {_types[1]} -> bool")(lambda a, b: a <= b)
    _function("_>_", f"{_types[0]}, {_types[1]} -> bool")(lambda a, b: a > b)
    _function("_>=_", f"{_types[0]}, {_types[1]} -> bool")(lambda a, b: a >= b)

_function("_==_", "A, A -> bool", cost="compare", id="equals")(equal)
_function("_!=_", "A, A -> bool", cost="compare", id="not_equals")(lambda a, b: not equal(a, b))
_function("!_", "bool -> bool")(lambda a: not a)
_function("_&&_", "bool, bool -> bool", id="logical_and")(lambda a, b: a and b)
_function("_||_", "bool, bool -> bool", id="logical_or")(lambda a, b: a or b)
_function("_?_:_", "bool, A, A -> A", id="conditional")(lambda a, b, c: b if a else c)
_function("@in", "A, list<A> -> bool", cost="in_list", id="in_list")(lambda a, b: contains(b, a))
_function("@in", "A, map<A, B> -> bool", id="in_map")(lambda a, b: contains(b, a))
_function("dyn", "A -> dyn")(lambda a: a)
_function("type", "A -> type<A>")(lambda a: TypeOf(name_of(a)))


@_function("_[_]", "list<A>, int -> A", id="index_list")
def _item(items: list[Any], index: Any) -> Any:
    if not 0 <= index < len(items):
        raise EvaluationError(f"index out of bounds: {index}")
    return items[index]


@_function("_[_]", "map<A, B>, A -> B", id="index_map")
def _entry(entries: dict[Any, Any], key: Any) -> Any:
    if not contains(entries, key):
        raise EvaluationError(f"no such key: {key}")
    return entries[key]


def _optional_item(items: Any, index: Any) -> Optional[Any]:
    if type(items) is dict:
        return Optional(True, items[index]) if contains(items, index) else Optional(False)
    fits = isinstance(index, int) and 0 <= index < len(items)
    return Optional(True, items[index]) if fits else Optional(False)


def _chained(items: Optional[Any], index: Any) -> Optional[Any]:
    return _optional_item(items.content, index) if items.has_value else items


_function("_[?_]", "list<A>, int -> optional<A>")(_optional_item)
_function("_[?_]", "map<A, B>, A -> optional<B>")(_optional_item)
for _name in ("_[_]", "_[?_]"):
    _function(_name, "optional<list<A>>, int -> optional<A>")(_chained)
    _function(_name, "optional<map<A, B>>, A -> optional<B>")(_chained)

for _type in ("string", "bytes", "list<A>", "map<A, B>"):
    _function("size", f"{_type} -> int")(len)
    _member("size", f"{_type} -> int")(len)
