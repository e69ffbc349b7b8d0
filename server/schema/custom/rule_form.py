"""The form of the rules that a schema declares, apart from the expressions in them."""

from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes
from server.schema.custom.field_paths import FieldPathError, field_path

Schema = dict[str, Any]

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")


def rule_form_causes(schema: Schema, path: str) -> list[Cause]:
    """What is wrong with the form of the rules of one schema."""
    found: list[Cause] = []
    for position, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = f"{path}.x-kubernetes-validations[{position}]"
        found += _message_causes(rule, where)
        text = rule.get("messageExpression") or ""
        if text and not text.strip():
            detail = "messageExpression must be non-empty if specified"
            found.append(causes.required(f"{where}.messageExpression", detail))
        reason = rule.get("reason")
        if reason is not None and reason not in _REASONS:
            found.append(causes.not_supported(f"{where}.reason", reason, _REASONS))
        if rule.get("fieldPath"):
            found += _path_causes(rule["fieldPath"], f"{where}.fieldPath", schema)
    return found


def _message_causes(rule: Schema, where: str) -> list[Cause]:
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        return [causes.required(f"{where}.rule", "rule is not specified")]
    if message and not message.strip():
        return [causes.invalid(f"{where}.message", message, "message must be non-empty if specified")]
    if _has_breaks(message.strip()):
        return [causes.invalid(f"{where}.message", message, "message must not contain line breaks")]
    if _has_breaks(text) and not message:
        detail = "message must be specified if rule contains line breaks"
        return [causes.required(f"{where}.message", detail)]
    return []


def _path_causes(text: str, where: str, schema: Schema) -> list[Cause]:
    found: list[Cause] = []
    if not text.strip():
        found.append(causes.invalid(where, text, "fieldPath must be non-empty if specified"))
    if _has_breaks(text):
        found.append(causes.invalid(where, text, "fieldPath must not contain line breaks"))
    try:
        field_path(text, schema)
    except FieldPathError:
        found.append(causes.invalid(where, text, "fieldPath must be a valid path"))
    return found


def _has_breaks(text: str) -> bool:
    return "\n" in text or "\r" in text
