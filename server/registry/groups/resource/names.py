"""Validation of the names and small parts that claims and slices share."""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import orjson

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, label_value_errors, qualified_name_errors, subdomain_errors
from server.registry.causes import duplicate, invalid, invalids, not_supported, required, too_long, too_many
from server.registry.groups.storage.csi import driver_name_causes

EFFECTS, OPERATORS = ("NoExecute", "NoSchedule", "None"), ("Equal", "Exists")
_LONGEST_POOL, _LONGEST_ID, _LARGEST_OPAQUE = 253, 32, 10 * 1024
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric"
    " characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is"
    " '[A-Za-z_][A-Za-z0-9_]*')"
)

Check = Callable[[str, Any], list[Cause]]


def items(field: str, values: Sequence[Any], most: int, check: Check) -> list[Cause]:
    """Each item checked, when there are not too many."""
    if 0 <= most < len(values):
        return [too_many(field, len(values), most)]
    return [cause for position, each in enumerate(values) for cause in check(f"{field}[{position}]", each)]


def distinct(
    field: str, values: Sequence[Any], most: int, check: Check, key: Callable[[Any], Hashable]
) -> list[Cause]:
    """`items`, none of which may have the key of another."""
    causes = items(field, values, most, check)
    if 0 <= most < len(values):
        return causes
    seen: set[Hashable] = set()
    for position, each in enumerate(values):
        own = key(each)
        if own in seen:
            causes.append(duplicate(f"{field}[{position}]", own))
        seen.add(own)
    return causes


def by_name(each: Object) -> str:
    return str(each.get("name", ""))


def label_causes(field: str, name: str) -> list[Cause]:
    return invalids(field, name, label_errors(name)) if name else [required(field)]


def pool_causes(field: str, name: str) -> list[Cause]:
    if not name:
        return [required(field)]
    causes = [too_long(field, _LONGEST_POOL)] if len(name) > _LONGEST_POOL else []
    return causes + [
        cause for part in name.split("/") for cause in invalids(field, part, subdomain_errors(part))
    ]


def qualified_causes(field: str, name: str, *, with_domain: bool = False) -> list[Cause]:
    """An identifier, with or (unless it must have one) without a domain before it."""
    domain, slash, short = name.rpartition("/")
    if "/" in domain:
        return [invalid(field, name, "must not contain more than one slash")]
    causes: list[Cause] = []
    if slash:
        causes += (
            driver_name_causes(field, domain)
            if domain
            else [invalid(field, "", "the domain must not be empty")]
        )
    if slash and not short:
        causes.append(invalid(field, "", "the name must not be empty"))
    else:
        causes += _identifier_causes(field, short)
    if with_domain and not slash:
        why = "a fully qualified name must be a domain and a name separated by a slash"
        causes.append(invalid(field, name, why))
    return causes


def _identifier_causes(field: str, name: str) -> list[Cause]:
    causes = [too_long(field, _LONGEST_ID)] if len(name) > _LONGEST_ID else []
    return causes if _IDENTIFIER.fullmatch(name) else [*causes, invalid(field, name, _NO_IDENTIFIER)]


def configuration_causes(field: str, each: Object) -> list[Cause]:
    opaque = each.get("opaque")
    if opaque is None:
        return [required(f"{field}.opaque")]
    causes = driver_name_causes(f"{field}.opaque.driver", opaque.get("driver") or "")
    return causes + raw_causes(f"{field}.opaque.parameters", opaque.get("parameters"))


def raw_causes(field: str, value: Any) -> list[Cause]:
    """An object of which nothing more is known."""
    if value is None:
        return [required(field)]
    if not isinstance(value, dict):
        return [invalid(field, "<value omitted>", "must be a valid JSON object")]
    return [too_long(field, _LARGEST_OPAQUE)] if len(orjson.dumps(value)) > _LARGEST_OPAQUE else []


def taint_causes(field: str, taint: Object) -> list[Cause]:
    key, value, effect = (taint.get(name) or "" for name in ("key", "value", "effect"))
    causes = invalids(f"{field}.key", key, qualified_name_errors(key))
    causes += invalids(f"{field}.value", value, label_value_errors(value)) if value else []
    if not effect:
        causes.append(required(f"{field}.effect"))
    elif effect not in EFFECTS:
        causes.append(not_supported(f"{field}.effect", effect, EFFECTS))
    return causes


def toleration_causes(field: str, each: Object) -> list[Cause]:
    key, value, effect = (each.get(name) or "" for name in ("key", "value", "effect"))
    operator = each.get("operator") or ""
    causes = invalids(f"{field}.key", key, qualified_name_errors(key)) if key else []
    if operator not in OPERATORS:
        causes.append(not_supported(f"{field}.operator", operator, OPERATORS))
    elif operator == "Exists" and value:
        causes.append(invalid(f"{field}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        causes += invalids(f"{field}.value", value, label_value_errors(value))
    if effect and effect not in EFFECTS:
        causes.append(not_supported(f"{field}.effect", effect, EFFECTS))
    return causes
