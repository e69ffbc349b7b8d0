"""What is wrong with a field, in upstream's words: `Cause`s for the schemas of custom resources."""

from collections.abc import Iterable
from typing import Any

import orjson

from kubeling.objects.errors import Cause

NOWHERE = "<nil>"
"""How Kubernetes prints the path of an error that has none."""
BLOCKING = frozenset(
    {
        "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)  # fmt: skip
"""Reasons after which an object's rules are not looked at."""


class Tolerated(Cause):
    """What is wrong with a value that was so before: whoever writes the object is warned, not refused."""

    __slots__ = ()


def shown(value: Any) -> str:
    """A value as it stands in a message: text in quotes, the rest as JSON."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits
        return str(value)


def invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause(field, "FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}")


def invalid_here(field: str, detail: str) -> Cause:
    """An invalid value that is not shown."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {detail}")


def type_invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause(field, "FieldValueTypeInvalid", f"Invalid value: {shown(value)}: {detail}")


def required(field: str, detail: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def forbidden(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}" if detail else "Forbidden")


def duplicate(field: str, value: Any) -> Cause:
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def duplicate_here(field: str) -> Cause:
    """A duplicate that is not shown."""
    return Cause(field, "FieldValueDuplicate", "Duplicate value")


def not_supported(field: str, value: Any, supported: Iterable[Any]) -> Cause:
    listed = ", ".join(shown(each if isinstance(each, str) else shown(each)) for each in supported)
    return Cause(
        field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}"
    )


def too_long(field: str, limit: int) -> Cause:
    unit = "byte" if limit == 1 else "bytes"
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {limit} {unit}")


def too_many(field: str, count: int, limit: int) -> Cause:
    items = "item" if limit == 1 else "items"
    return Cause(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} {items}")


def internal(field: str, detail: str) -> Cause:
    return Cause(field, "InternalError", f"Internal error: {detail}")


def text_of(cause: Cause) -> str:
    """A cause in one line, as upstream prints field errors."""
    return f"{cause.field}: {cause.message}"


def joined(causes: list[Cause]) -> str:
    """Several causes as one error: in brackets when there are more than one."""
    texts = list(dict.fromkeys(text_of(each) for each in causes))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
