"""Validation of LabelSelectors, field by field."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_value_errors, qualified_name_errors
from server.registry.causes import forbidden, invalid, invalids, required
from server.registry.metadata import label_causes


def label_selector_causes(field: str, selector: Object | None) -> list[Cause]:
    """An absent selector is well formed."""
    if not selector:
        return []
    causes = label_causes(f"{field}.matchLabels", selector.get("matchLabels") or {})
    for position, each in enumerate(selector.get("matchExpressions") or ()):
        causes += _requirement_causes(f"{field}.matchExpressions[{position}]", each)
    return causes


def _requirement_causes(field: str, each: Object) -> list[Cause]:
    operator, values, key = each.get("operator", ""), each.get("values") or [], each.get("key", "")
    causes: list[Cause] = []
    if operator in ("In", "NotIn"):
        if not values:
            causes.append(required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{field}.values", why))
    else:
        causes.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    causes += invalids(f"{field}.key", key, qualified_name_errors(key))
    for position, value in enumerate(values):
        causes += invalids(f"{field}.values[{position}]", value, label_value_errors(value))
    return causes
