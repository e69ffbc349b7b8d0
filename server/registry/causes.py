"""Field errors in upstream's words, as `Cause`s: what validation returns."""

from collections.abc import Iterable
from typing import Any

import orjson

from kubeling.objects.errors import Cause


def shown(value: Any) -> str:
    """A value as Kubernetes shows it in field errors: text in quotes, the rest as JSON."""
    return orjson.dumps(value).decode()


def required(field: str, detail: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", _with("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause(field, "FieldValueInvalid", _with(f"Invalid value: {shown(value)}", detail))


def invalids(field: str, value: Any, details: Iterable[str]) -> list[Cause]:
    return [invalid(field, value, detail) for detail in details]


def misfit(field: str, detail: str) -> Cause:
    """An invalid value that is not shown, being too large or a combination of fields."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {detail}")


def duplicate(field: str, value: Any, detail: str = "") -> Cause:
    return Cause(field, "FieldValueDuplicate", _with(f"Duplicate value: {shown(value)}", detail))


def not_supported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    listed = ", ".join(f'"{each}"' for each in sorted(supported))
    return Cause(
        field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}"
    )


def unsupported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """`not_supported` with the values in the order given: upstream sorts some lists and some not."""
    listed = ", ".join(f'"{each}"' for each in supported)
    return Cause(
        field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}"
    )


def forbidden(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueForbidden", _with("Forbidden", detail))


def not_found(field: str, value: Any, detail: str = "") -> Cause:
    return Cause(field, "FieldValueNotFound", _with(f"Not found: {shown(value)}", detail))


def too_long(field: str, limit: int) -> Cause:
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> Cause:
    items = "item" if limit == 1 else "items"
    return Cause(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} {items}")


def immutable(field: str, value: Any) -> Cause:
    return invalid(field, value, "field is immutable")


def one_of(field: str, value: Any, supported: Iterable[str]) -> list[Cause]:
    """The value must be given and be one of these."""
    supported = tuple(supported)
    if value in (None, ""):
        return [required(field)]
    return [] if value in supported else [not_supported(field, value, supported)]


def at_least(field: str, value: int | None, minimum: int = 0) -> list[Cause]:
    """A number that may be absent, but not smaller than this."""
    if value is None or value >= minimum:
        return []
    return [invalid(field, value, f"must be greater than or equal to {minimum}")]


def in_range(field: str, value: int, low: int, high: int) -> list[Cause]:
    if low <= value <= high:
        return []
    return [invalid(field, value, f"must be between {low} and {high}, inclusive")]


def choice(field: str, value: Any, supported: Iterable[str]) -> list[Cause]:
    """`one_of` with the values in the order given."""
    supported = tuple(supported)
    if value in (None, ""):
        return [required(field)]
    return [] if value in supported else [unsupported(field, value, supported)]


def _with(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text
