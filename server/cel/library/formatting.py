"""String.format of the strings extension."""

import math
import re
from typing import Any

from server.cel.errors import EvaluationError
from server.cel.library.conversions import text_of_duration, text_of_float, text_of_timestamp
from server.cel.types import name_of
from server.cel.values import Duration, Timestamp, TypeOf, Uint

_CLAUSE = re.compile(r"%(?:%|(\.\d+)?(.)|$)", re.DOTALL)
_PRECISION = 1000


def formatted(template: str, args: list[Any]) -> str:
    """The template with its clauses filled in.

    Raises:
        EvaluationError: too few arguments, or one that does not fit its clause.
    """
    rest = iter(args)

    def fill(found: "re.Match[str]") -> str:
        if found[0] == "%%":
            return "%"
        if not found[2]:
            raise EvaluationError("unexpected end of string")
        digits = int(found[1][1:]) if found[1] and len(found[1]) < 6 else _PRECISION + 1 if found[1] else None
        if digits is not None and digits > _PRECISION:
            raise EvaluationError("precision specifier is too large")
        try:
            value = next(rest)
        except StopIteration:
            raise EvaluationError(f"index {len(args)} out of range") from None
        return _clause(found[2], value, digits)

    return _CLAUSE.sub(fill, template)


def _clause(kind: str, value: Any, digits: int | None) -> str:
    number = type(value) in (int, Uint)
    if kind == "s":
        return text(value)
    if kind == "d" and (number or type(value) is float):
        return text_of_float(value) if type(value) is float else str(int(value))
    if kind in "fe" and (number or type(value) is float):
        return _fixed(kind, float(value), 6 if digits is None else digits)
    if kind == "b" and (number or type(value) is bool):
        return format(int(value), "b")
    if kind == "o" and number:
        return format(int(value), "o")
    if kind in "xX" and (number or type(value) in (str, bytes)):
        raw = value.encode() if type(value) is str else value
        found = format(int(raw), "x") if number else raw.hex()
        return found.upper() if kind == "X" else found
    if kind in "sdfeboxX":
        raise EvaluationError(f"error during formatting: no such overload for %{kind}: {name_of(value)}")
    raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{kind}"')


def _fixed(kind: str, value: float, digits: int) -> str:
    if not math.isfinite(value):
        return {"+Inf": "Infinity", "-Inf": "-Infinity"}.get(text_of_float(value), "NaN")
    return format(value, f".{digits}{kind}")


def text(value: Any) -> str:
    """A value as %s shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{text(key)}: {text(each)}' for key, each in value.items()))}}}"
    return _scalar_text(value)


def _scalar_text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case float():
            return text_of_float(value)
        case int():
            return str(int(value))
        case bytes():
            return value.decode("utf-8", "replace")
        case Duration():
            return text_of_duration(value)
        case Timestamp():
            return text_of_timestamp(value)
        case TypeOf():
            return value.name
    raise EvaluationError(
        "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles,"
        f" maps, lists, types, durations, and timestamps, was given {name_of(value)}"
    )
