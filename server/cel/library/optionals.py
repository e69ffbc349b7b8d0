"""Optional values."""

from typing import Any

from server.cel.functions import Library
from server.cel.values import NONE, Optional

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member

_function("optional.of", "A -> optional<A>")(lambda value: Optional(True, value))
_function("optional.none", "-> optional<A>")(lambda: NONE)
_member("hasValue", "optional<A> -> bool")(lambda value: value.has_value)
_member("value", "optional<A> -> A")(lambda value: value.value())
_member("or", "optional<A>, optional<A> -> optional<A>")(lambda one, other: one if one.has_value else other)
_member("orValue", "optional<A>, A -> A")(lambda one, other: one.content if one.has_value else other)


@_function("optional.ofNonZeroValue", "A -> optional<A>")
def _non_zero(value: Any) -> Optional[Any]:
    return Optional(True, value) if value else NONE


_member("first", "list<A> -> optional<A>")(lambda values: Optional(True, values[0]) if values else NONE)
_member("last", "list<A> -> optional<A>")(lambda values: Optional(True, values[-1]) if values else NONE)


@_member("unwrapOpt", "list<optional<A>> -> list<A>")
@_function("optional.unwrap", "list<optional<A>> -> list<A>")
def _unwrap(values: list[Any]) -> list[Any]:
    return [each.content for each in values if each.has_value]
