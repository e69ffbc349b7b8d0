"""Validation of what steers scheduling in a pod spec: tolerations, affinity, node selector terms."""

from kubeling.objects.errors import Cause
from kubeling.objects.labels import SelectorError, from_label_selector
from kubeling.objects.meta import Object
from kubeling.objects.names import label_value_errors, qualified_name_errors
from server.registry.causes import forbidden, in_range, invalid, invalids, not_supported, required

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def toleration_causes(field: str, tolerations: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(tolerations):
        causes += _one_toleration(f"{field}[{position}]", each)
    return causes


def _one_toleration(field: str, each: Object) -> list[Cause]:
    key, operator, effect = each.get("key", ""), each.get("operator", ""), each.get("effect", "")
    causes = invalids(f"{field}.key", key, qualified_name_errors(key)) if key else []
    if not key and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(invalid(f"{field}.operator", operator, why))
    if each.get("tolerationSeconds") is not None and effect != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(invalid(f"{field}.effect", effect, why))
    match operator:
        case "" | "Equal":
            causes += invalids(
                f"{field}.operator", each.get("value", ""), label_value_errors(each.get("value", ""))
            )
        case "Exists":
            if each.get("value"):
                why = "value must be empty when `operator` is 'Exists'"
                causes.append(invalid(f"{field}.operator", each["value"], why))
        case "Lt" | "Gt":
            pass
        case _:
            causes.append(not_supported(f"{field}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in _EFFECTS:
        causes.append(not_supported(f"{field}.effect", effect, _EFFECTS))
    return causes


def affinity_causes(field: str, affinity: Object) -> list[Cause]:
    causes: list[Cause] = []
    if node := affinity.get("nodeAffinity"):
        causes += _node_affinity_causes(f"{field}.nodeAffinity", node)
    for kind in ("podAffinity", "podAntiAffinity"):
        if pods := affinity.get(kind):
            causes += _pod_affinity_causes(f"{field}.{kind}", pods)
    return causes


def _node_affinity_causes(field: str, affinity: Object) -> list[Cause]:
    causes: list[Cause] = []
    if (wanted := affinity.get(_REQUIRED)) is not None:
        causes += node_selector_causes(f"{field}.{_REQUIRED}", wanted)
    for position, each in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{field}.{_PREFERRED}[{position}]"
        causes += in_range(f"{where}.weight", each.get("weight", 0), 1, 100)
        causes += _term_causes(f"{where}.preference", each.get("preference") or {})
    return causes


def node_selector_causes(field: str, selector: Object) -> list[Cause]:
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        return [required(f"{field}.nodeSelectorTerms", "must have at least one node selector term")]
    causes: list[Cause] = []
    for position, term in enumerate(terms):
        causes += _term_causes(f"{field}.nodeSelectorTerms[{position}]", term)
    return causes


def _term_causes(field: str, term: Object) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(term.get("matchExpressions") or ()):
        causes += _expression_causes(f"{field}.matchExpressions[{position}]", each)
    return causes


def _expression_causes(field: str, each: Object) -> list[Cause]:
    operator, values = each.get("operator", ""), each.get("values") or []
    causes: list[Cause] = []
    if operator in ("In", "NotIn") and not values:
        causes.append(required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist") and values:
        why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        causes.append(forbidden(f"{field}.values", why))
    elif operator in ("Gt", "Lt") and len(values) != 1:
        why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        causes.append(required(f"{field}.values", why))
    elif operator not in _NODE_OPERATORS:
        causes.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    key = each.get("key", "")
    return causes + invalids(f"{field}.key", key, qualified_name_errors(key))


def _pod_affinity_causes(field: str, affinity: Object) -> list[Cause]:
    causes: list[Cause] = []
    for position, term in enumerate(affinity.get(_REQUIRED) or ()):
        causes += _pod_term_causes(f"{field}.{_REQUIRED}[{position}]", term)
    for position, each in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{field}.{_PREFERRED}[{position}]"
        causes += in_range(f"{where}.weight", each.get("weight", 0), 1, 100)
        causes += _pod_term_causes(f"{where}.podAffinityTerm", each.get("podAffinityTerm") or {})
    return causes


def _pod_term_causes(field: str, term: Object) -> list[Cause]:
    causes = selector_causes(f"{field}.labelSelector", term.get("labelSelector"))
    if not term.get("topologyKey"):
        return [*causes, required(f"{field}.topologyKey", "can not be empty")]
    key = term["topologyKey"]
    return causes + invalids(f"{field}.topologyKey", key, qualified_name_errors(key))


def selector_causes(field: str, selector: Object | None) -> list[Cause]:
    """A LabelSelector that must be well formed; an absent one is."""
    if selector is None:
        return []
    try:
        from_label_selector(selector)
    except SelectorError as error:
        return [invalid(field, selector, str(error))]
    return []
