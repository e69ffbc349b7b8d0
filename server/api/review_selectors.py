"""The selectors in a SubjectAccessReview, as the text that they would be in a request's query.

Conditions that a selector cannot express, and texts that are none, are left out: the review is judged as if
they were not there, which can only be stricter, and its status says so.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kubeling.objects.errors import ApiError
from kubeling.objects.labels import SelectorError, parse_selector
from server.registry.options import Selection

_SIGNS = {"In": "=", "NotIn": "!="}

Given = Mapping[str, Any] | None


def field_selector(given: Given, errors: list[str]) -> str:
    """The text; what is wrong is added to `errors`."""
    return _text(given, errors, what="fieldSelector", is_selector=_selects_fields, part=_field_part)


def label_selector(given: Given, errors: list[str]) -> str:
    """The text; what is wrong is added to `errors`."""
    return _text(given, errors, what="labelSelector", is_selector=_selects_labels, part=_label_part)


def _text(
    given: Given,
    errors: list[str],
    *,
    what: str,
    is_selector: Callable[[str], bool],
    part: Callable[[str, str, Sequence[str]], str],
) -> str:
    raw, requirements = (given or {}).get("rawSelector") or "", (given or {}).get("requirements") or ()
    if raw:
        parts, complete = ([raw], True) if is_selector(raw) else ([], False)
    else:
        made = [
            part(each.get("key", ""), each.get("operator", ""), each.get("values") or ())
            for each in requirements
        ]
        parts = [text for text in made if text and is_selector(text)]
        complete = len(parts) == len(made)
    if not complete:
        partly = "partially ignored" if parts else "ignored"
        errors.append(f"spec.resourceAttributes.{what} {partly} due to parse error")
    return ",".join(parts)


def _selects_fields(text: str) -> bool:
    try:
        Selection.parse("", text)
    except ApiError:
        return False
    return True


def _selects_labels(text: str) -> bool:
    try:
        parse_selector(text)
    except SelectorError:
        return False
    return True


def _field_part(key: str, operator: str, values: Sequence[str]) -> str:
    """A field can only be compared with one value."""
    return f"{key}{_SIGNS[operator]}{values[0]}" if operator in _SIGNS and len(values) == 1 else ""


def _label_part(key: str, operator: str, values: Sequence[str]) -> str:
    match operator:
        case "In" | "NotIn":
            return f"{key} {operator.lower()} ({','.join(values)})"
        case "Exists":
            return key
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return ""
