"""Checks of texts, numbers, enumerations and types, compiled from a schema."""

from collections.abc import Callable
from typing import Any

from kubeling.objects.formats import format_check
from kubeling.objects.regex import RegexError, compiled
from server.schema.causes import shown
from server.schema.custom.problems import Problem

Schema = dict[str, Any]
Check = Callable[[Any], Problem | None]

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_SAFE_INTEGER = 1 << 53
_INT_OR_STRING = "integer,string"


def json_type(value: Any) -> str:
    """The type of a value in the words of schemas."""
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        return "number"
    return _TYPES.get(type(value), "null")


def type_check(schema: Schema) -> Check | None:
    """Whether a value is of the schema's type; of any of two for int-or-string."""
    wanted = _INT_OR_STRING if schema.get("x-kubernetes-int-or-string") else schema.get("type", "")
    nullable = bool(schema.get("nullable"))
    exact = _exact(wanted)
    text_format = format_check(schema.get("format", "")) is not None
    if not wanted:
        return None

    def check(value: Any) -> Problem | None:
        if type(value) is exact or (wanted == _INT_OR_STRING and type(value) in (str, int)):
            return None
        if value is None:
            return None if nullable else _mistyped(wanted, "null")
        found = json_type(value)
        if found == wanted or (wanted == "number" and found == "integer"):
            return None
        if wanted in ("integer", _INT_OR_STRING) and found == "number" and _is_whole(value):
            return None
        if text_format and wanted not in ("integer", "number"):
            return _unformatted(value, schema["format"], found)
        return _mistyped(wanted, found)

    return check


def _exact(wanted: str) -> type | None:
    return {"string": str, "boolean": bool, "number": float, "array": list, "object": dict}.get(wanted)


def _unformatted(value: Any, name: str, found: str) -> Problem | None:
    """A schema with a format takes lists as it takes texts; of the rest the format is what is missing."""
    if found in ("string", "array"):
        return None
    internal = {"integer": "int64", "number": "float64"}.get(found, "")
    return _mistyped(name, internal)


def _mistyped(wanted: str, found: str) -> Problem:
    return Problem("type", found, f'must be of type {wanted}: "{found}"')


def _is_whole(value: float) -> bool:
    return abs(value) <= _SAFE_INTEGER and float(value).is_integer()


def text_check(schema: Schema) -> Check | None:
    """Length and pattern: the first that fails is told."""
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    pattern = schema.get("pattern") or ""
    if longest is None and shortest is None and not pattern:
        return None
    matches = _matcher(pattern)

    def check(text: str) -> Problem | None:
        if longest is not None and len(text) > longest:
            return Problem("long", text, longest)
        if shortest is not None and len(text) < shortest:
            return Problem("invalid", text, f"should be at least {shortest} chars long")
        if matches is not None:
            wrong = matches(text)
            if wrong is not None:
                return Problem("invalid", text, f"should match '{wrong}'")
        return None

    return check


def _matcher(pattern: str) -> Callable[[str], str | None] | None:
    """What gives the pattern back, with what is wrong with it, when a text does not match."""
    if not pattern:
        return None

    def matches(text: str) -> str | None:
        try:
            return None if compiled(pattern).search(text) else pattern
        except RegexError as error:
            return f"{pattern}, but pattern is invalid: {error}"
        except UnicodeEncodeError:  # half a surrogate pair
            return pattern

    return matches


def text_format_check(schema: Schema) -> Check | None:
    name = schema.get("format") or ""
    matches = format_check(name)
    if matches is None:
        return None

    def check(text: str) -> Problem | None:
        if matches(text):
            return None
        return Problem("type", text, f"must be of type {name}: {shown(text)}")

    return check


def number_checks(schema: Schema) -> tuple[Check, ...]:
    """Multiples, minimum and maximum; all that fail are told."""
    made = (
        _multiple_check(schema.get("multipleOf")),
        _limit_check(schema.get("minimum"), bool(schema.get("exclusiveMinimum")), upper=False),
        _limit_check(schema.get("maximum"), bool(schema.get("exclusiveMaximum")), upper=True),
    )
    return tuple(each for each in made if each is not None)


def _limit_check(limit: Any, exclusive: bool, *, upper: bool) -> Check | None:
    if limit is None:
        return None
    words = ("less than" if upper else "greater than") + ("" if exclusive else " or equal to")

    def check(value: float) -> Problem | None:
        bound = int(limit) if type(value) is int else limit
        beyond = value > bound if upper else value < bound
        if beyond or (exclusive and value == bound):
            return Problem("invalid", value, f"should be {words} {go_number(bound)}")
        return None

    return check


def _multiple_check(factor: Any) -> Check | None:
    if not factor:
        return None

    def check(value: float) -> Problem | None:
        if type(value) is int and int(factor) == 0:
            whole = _is_multiple(value, factor)
        else:
            whole = value % int(factor) == 0 if type(value) is int else _is_multiple(value, factor)
        if whole:
            return None
        told = int(factor) if type(value) is int and int(factor) else factor
        return Problem("invalid", value, f"should be a multiple of {go_number(told)}")

    return check


def _is_multiple(value: float, factor: float) -> bool:
    times = 1 / factor * value if factor < 1 else value / factor
    return abs(times - round(times)) < 1e-9 if abs(times) < _SAFE_INTEGER else False


def go_number(value: float) -> str:
    """A number as Go's %v prints it."""
    if type(value) is int:
        return str(value)
    if float(value).is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, sign, exponent = repr(value).partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}" if sign else mantissa


def enum_check(schema: Schema) -> Check | None:
    values = schema.get("enum")
    if not values:
        return None
    simple = frozenset(each for each in values if type(each) is str)

    def check(value: Any) -> Problem | None:
        if type(value) is str:
            return None if value in simple else Problem("enum", value, values)
        for each in values:
            if each is not None and each == value and _comparable(each, value):
                return None
        return Problem("enum", value, values)

    return check


def _comparable(one: Any, other: Any) -> bool:
    return (type(one) is bool) == (type(other) is bool)
