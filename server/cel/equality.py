"""Equality and order of values: numbers compare across their types, other types never equal each other."""

from typing import Any

from server.cel.values import MapList, Optional, SetList, Uint

_PLAIN = (str, int, bool, float, bytes, type(None))
_NUMBERS = (int, float, Uint)


def equal(one: Any, other: Any) -> bool:
    kind = type(one)
    if kind is type(other) and kind in _PLAIN:
        return bool(one == other)
    if kind in _NUMBERS:
        return type(other) in _NUMBERS and bool(one == other)
    if isinstance(one, list):
        return isinstance(other, list) and _lists_equal(one, other)
    if kind is dict:
        return (
            type(other) is dict
            and len(one) == len(other)
            and all(key in other and equal(value, other[key]) for key, value in one.items())
        )
    if kind is Optional and type(other) is Optional:
        if not one.has_value or not other.has_value:
            return bool(one.has_value == other.has_value)
        return equal(one.content, other.content)
    return kind is type(other) and bool(one == other)


def _lists_equal(one: list[Any], other: list[Any]) -> bool:
    if len(one) != len(other):
        return False
    if isinstance(one, SetList | MapList):
        rest = list(other)
        for item in one:
            found = next((at for at, each in enumerate(rest) if equal(item, each)), None)
            if found is None:
                return False
            del rest[found]
        return True
    return all(map(equal, one, other))


def contains(items: Any, value: Any) -> bool:
    """The operator `in`."""
    if type(items) is dict:
        return type(value) in (str, int, Uint, bool, float) and value in items
    return any(equal(value, each) for each in items)


def size(value: Any) -> int:
    """What the size of a value counts as in the cost of a call: 1 for what has none."""
    return len(value) if isinstance(value, str | bytes | list | dict) else 1
