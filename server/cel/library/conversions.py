"""Conversions between types: int("1"), string(1.5), timestamp("2024-01-01T00:00:00Z"), ..."""

import math
import re
from datetime import datetime
from typing import Any

from server.cel.errors import EvaluationError
from server.cel.functions import Library
from server.cel.values import NANOSECONDS, Duration, Timestamp, Uint

LIBRARY = Library()
_function = LIBRARY.function

_MIN, _MAX, _MAX_UINT = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": NANOSECONDS,
    "m": 60 * NANOSECONDS, "h": 3600 * NANOSECONDS,
}  # fmt: skip
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def _ranged(value: int) -> int:
    if not _MIN <= value <= _MAX:
        raise EvaluationError("integer overflow")
    return value


def _int_of_text(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,25}", text, re.ASCII):
        raise EvaluationError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return _ranged(int(text))


def _int_of_float(value: float) -> int:
    if not math.isfinite(value):
        raise EvaluationError("integer overflow")
    return _ranged(int(value))


def _uint(value: float | int) -> Uint:
    if not math.isfinite(value) or not 0 <= int(value) <= _MAX_UINT:
        raise EvaluationError("unsigned integer overflow")
    return Uint(int(value))


def _uint_of_text(text: str) -> Uint:
    if not re.fullmatch(r"\+?\d{1,25}", text, re.ASCII):
        raise EvaluationError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return _uint(int(text))


def _double_of_text(text: str) -> float:
    if not re.fullmatch(
        r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|[iI]nf(inity)?|NaN)", text, re.ASCII
    ):
        raise EvaluationError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    return float(text)


def _bool_of_text(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise EvaluationError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def text_of_float(value: float) -> str:
    """A double as Go prints it in the shortest form."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    mantissa, mark, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].zfill(2)}" if mark else mantissa


def timestamp_of(text: str) -> Timestamp:
    """From RFC 3339."""
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        zone = "+00:00" if found[3] == "Z" else found[3]
        seconds = int(datetime.fromisoformat(found[1] + zone).timestamp())
    except (ValueError, OverflowError):
        raise EvaluationError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None
    return Timestamp(seconds * NANOSECONDS + int((found[2] or "0").ljust(9, "0")))


def text_of_timestamp(value: Timestamp) -> str:
    text = value.moment().strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = value.nanoseconds % NANOSECONDS
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def duration_of(text: str) -> Duration:
    """From Go's notation, such as 1h30m."""
    sign = -1 if text.startswith("-") else 1
    rest = text.lstrip("+-") if text[:1] in "+-" else text
    if rest == "0":
        return Duration(0)
    parts = _PART.findall(rest)
    if not parts or "".join(amount + unit for amount, unit in parts) != rest or len(rest) > 200:
        raise EvaluationError(f'time: invalid duration "{text}"')
    whole = sum(_nanoseconds(amount, _UNITS[unit]) for amount, unit in parts)
    return Duration(sign * whole)


def _nanoseconds(amount: str, unit: int) -> int:
    whole, _, fraction = amount.partition(".")
    return int(whole or "0") * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def text_of_duration(value: Duration) -> str:
    whole, fraction = divmod(abs(value.nanoseconds), NANOSECONDS)
    sign = "-" if value.nanoseconds < 0 else ""
    return f"{sign}{whole}" + (f".{fraction:09d}".rstrip("0") if fraction else "") + "s"


def _same(value: Any) -> Any:
    return value


for _name in ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"):
    _function(_name, f"{_name} -> {_name}")(_same)
_function("int", "uint -> int")(lambda value: _ranged(int(value)))
_function("int", "double -> int")(_int_of_float)
_function("int", "string -> int")(_int_of_text)
_function("int", "timestamp -> int")(lambda value: value.nanoseconds // NANOSECONDS)
_function("int", "duration -> int")(lambda value: value.nanoseconds)
_function("uint", "int -> uint")(_uint)
_function("uint", "double -> uint")(_uint)
_function("uint", "string -> uint")(_uint_of_text)
_function("double", "int -> double")(float)
_function("double", "uint -> double")(float)
_function("double", "string -> double")(_double_of_text)
_function("bool", "string -> bool")(_bool_of_text)
_function("string", "bool -> string")(lambda value: "true" if value else "false")
_function("string", "int -> string")(str)
_function("string", "uint -> string")(lambda value: str(int(value)))
_function("string", "double -> string")(text_of_float)
_function("string", "bytes -> string", cost="convert", id="bytes_to_string")(_text_of_bytes)
_function("string", "timestamp -> string")(text_of_timestamp)
_function("string", "duration -> string")(text_of_duration)
_function("bytes", "string -> bytes", cost="convert", id="string_to_bytes")(
    lambda value: value.encode("utf-8", "replace")
)
_function("timestamp", "string -> timestamp")(timestamp_of)
_function("timestamp", "int -> timestamp")(lambda value: Timestamp(value * NANOSECONDS))
_function("duration", "string -> duration")(duration_of)
_function("duration", "int -> duration")(Duration)
