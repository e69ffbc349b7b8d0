"""Decoding of values without inner structure: each function gives back what Kubernetes would store.

They raise DecodeError (TypeMismatch where the JSON type is wrong) with the text of Go's decoder.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from kubeling.objects import meta, quantity
from server.schema.errors import DecodeError, TypeMismatch

Decoder = Callable[[Any], Any]

_PLAIN_TIME = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)")


def json_type(value: Any) -> str:
    """What Go's decoder calls the value in its errors."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object"


def string(value: Any) -> str:
    if type(value) is not str:
        raise TypeMismatch(json_type(value), "string")
    return value


def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeMismatch(json_type(value), "bool")
    return value


def _integer(go_type: str, bits: int) -> Decoder:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def decode(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        found = json_type(value)
        raise TypeMismatch(f"number {value}" if found == "number" else found, go_type)

    return decode


int32 = _integer("int32", 32)
int64 = _integer("int64", 64)


def number(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise TypeMismatch(json_type(value), "float64")
    return value


def int_or_string(value: Any) -> int | str:
    if type(value) is str:
        return value
    return int(int32(value))


def quantity_text(value: Any) -> str:
    """A resource quantity in its canonical form."""
    if type(value) is str:
        return _canonical(value)
    if type(value) is int or type(value) is float:
        return _canonical(repr(value))
    raise DecodeError(str(quantity.QuantityError()))


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    try:
        return quantity.canonical(text)
    except quantity.QuantityError as error:
        raise DecodeError(str(error)) from error


def time(value: Any) -> str:
    """A metav1.Time: whole seconds, UTC."""
    text = string(value)
    return (
        text
        if _PLAIN_TIME.fullmatch(text) and _is_a_day(text)
        else meta.timestamp(_moment(text, "", "Z07:00"))
    )


def micro_time(value: Any) -> str:
    """A metav1.MicroTime: microseconds, UTC."""
    text = string(value)
    return (
        text
        if len(text) == 27 and _is_micro(text)
        else meta.micro_timestamp(_moment(text, ".000000", "Z07:00"))
    )


def _is_a_day(text: str) -> bool:
    return text[8:10] <= "28" or _parses(text)


def _is_micro(text: str) -> bool:
    return text[19] == "." and text[-1] == "Z" and _RFC3339.fullmatch(text) is not None and _parses(text)


def _parses(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _moment(text: str, fraction: str, zone: str) -> datetime:
    try:
        if _RFC3339.fullmatch(text):
            return meta.parse_timestamp(text.replace(",", "."))
    except ValueError as error:
        raise DecodeError(f'parsing time "{text}": {error}') from error
    layout = f"2006-01-02T15:04:05{fraction}{zone}"
    rest, element = _stumble(text)
    raise DecodeError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"')


def _stumble(text: str) -> tuple[str, str]:
    """Where Go's time parser stops: the text from there, and the layout element that it wanted."""
    steps = (
        (r"\d{4}", "2006"), ("-", "-"), (r"\d\d", "01"), ("-", "-"), (r"\d\d", "02"), ("T", "T"),
        (r"\d\d", "15"), (":", ":"), (r"\d\d", "04"), (":", ":"), (r"\d\d(?:[.,]\d+)?", "05"),
    )  # fmt: skip
    rest = text
    for pattern, element in steps:
        match = re.match(pattern, rest)
        if match is None:
            return rest, element
        rest = rest[match.end() :]
    return rest, "Z07:00"


def base64_text(value: Any) -> str:
    """Bytes in standard base64; line breaks in it are dropped."""
    if type(value) is not str:
        raise TypeMismatch(json_type(value), "[]uint8")
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:  # binascii.Error, or characters outside ASCII
        raise DecodeError(f"illegal base64 data at input byte {_bad_byte(text)}") from error
    return text


def _bad_byte(text: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/]", text)
    if found is None or text[found.start() :].strip("=") == "":
        return max(len(text) - len(text) % 4, 0)
    return found.start()


def encoded(text: str) -> str:
    """The base64 of a text: what a Secret's stringData becomes."""
    return base64.b64encode(text.encode()).decode()
