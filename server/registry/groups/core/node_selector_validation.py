"""Validation of selectors of nodes: by labels and by name."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_value_errors, qualified_name_errors, subdomain_errors
from server.registry.causes import forbidden, invalid, invalids, required

_NO_OPERATOR = "not a valid selector operator"


def node_selector_causes(field: str, selector: Object) -> list[Cause]:
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        return [required(f"{field}.nodeSelectorTerms", "must have at least one node selector term")]
    causes: list[Cause] = []
    for position, term in enumerate(terms):
        causes += node_selector_term_causes(f"{field}.nodeSelectorTerms[{position}]", term)
    return causes


def node_selector_term_causes(field: str, term: Object, *, any_values: bool = False) -> list[Cause]:
    """`any_values`: what is only preferred may ask for values that no label can have."""
    causes: list[Cause] = []
    for position, each in enumerate(term.get("matchExpressions") or ()):
        where = f"{field}.matchExpressions[{position}]"
        causes += _expression_causes(where, each)
        for number, value in enumerate(() if any_values else each.get("values") or ()):
            causes += invalids(f"{where}.values[{number}]", value, label_value_errors(value))
    for position, each in enumerate(term.get("matchFields") or ()):
        causes += _field_causes(f"{field}.matchFields[{position}]", each)
    return causes


def _expression_causes(field: str, each: Object) -> list[Cause]:
    operator, values, key = each.get("operator", ""), each.get("values") or [], each.get("key", "")
    causes: list[Cause] = []
    match operator:
        case "In" | "NotIn":
            if not values:
                why = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(required(f"{field}.values", why))
        case "Exists" | "DoesNotExist":
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.append(forbidden(f"{field}.values", why))
        case "Gt" | "Lt":
            if len(values) != 1:
                why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                causes.append(required(f"{field}.values", why))
        case _:
            causes.append(invalid(f"{field}.operator", operator, _NO_OPERATOR))
    return causes + invalids(f"{field}.key", key, qualified_name_errors(key))


def _field_causes(field: str, each: Object) -> list[Cause]:
    """Nodes' only field is their name."""
    operator, values, key = each.get("operator", ""), each.get("values") or [], each.get("key", "")
    causes: list[Cause] = []
    if operator not in ("In", "NotIn"):
        causes.append(invalid(f"{field}.operator", operator, _NO_OPERATOR))
    elif len(values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        causes.append(required(f"{field}.values", why))
    if key != "metadata.name":
        return [*causes, invalid(f"{field}.key", key, "not a valid field selector key")]
    for number, value in enumerate(values):
        causes += invalids(f"{field}.values[{number}]", value, subdomain_errors(value))
    return causes
