"""Validation of what steers scheduling in a pod spec: tolerations, affinity, spreading over topologies."""

import re

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, label_value_errors, qualified_name_errors
from server.registry.causes import (
    duplicate,
    forbidden,
    invalid,
    invalids,
    not_supported,
    required,
    unsupported,
)
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.node_selector_validation import (
    node_selector_causes,
    node_selector_term_causes,
)

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_BOTH_KEYS = "exists in both matchLabelKeys and labelSelector"
_NO_SELECTOR = "must not be specified when labelSelector is not set"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
selector_causes = label_selector_causes


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
    value = each.get("value", "")
    match operator:
        case "" | "Equal":
            if errors := label_value_errors(value):
                causes.append(invalid(f"{field}.operator", value, ";".join(errors)))
        case "Exists":
            if value:
                why = "value must be empty when `operator` is 'Exists'"
                causes.append(invalid(f"{field}.operator", value, why))
        case "Lt" | "Gt":
            if not _WHOLE.fullmatch(value):
                causes.append(invalid(f"{field}.value", value, "must be a valid integer"))
        case _:
            causes.append(unsupported(f"{field}.operator", operator, ("Equal", "Exists", "Lt", "Gt")))
    if effect and effect not in EFFECTS:
        causes.append(unsupported(f"{field}.effect", effect, EFFECTS))
    return causes


def affinity_causes(field: str, affinity: Object) -> list[Cause]:
    causes: list[Cause] = []
    if node := affinity.get("nodeAffinity"):
        causes += _node_affinity_causes(f"{field}.nodeAffinity", node)
    for kind in ("podAffinity", "podAntiAffinity"):
        if pods := affinity.get(kind):
            causes += _pod_affinity_causes(f"{field}.{kind}", pods)
    return causes


def _weight_causes(field: str, each: Object) -> list[Cause]:
    weight = each.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(field, weight, "must be in the range 1-100")]


def _node_affinity_causes(field: str, affinity: Object) -> list[Cause]:
    causes: list[Cause] = []
    if (wanted := affinity.get(_REQUIRED)) is not None:
        causes += node_selector_causes(f"{field}.{_REQUIRED}", wanted)
    for position, each in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{field}.{_PREFERRED}[{position}]"
        causes += _weight_causes(f"{where}.weight", each)
        preference = each.get("preference") or {}
        causes += node_selector_term_causes(f"{where}.preference", preference, any_values=True)
    return causes


def _pod_affinity_causes(field: str, affinity: Object) -> list[Cause]:
    causes: list[Cause] = []
    for position, term in enumerate(affinity.get(_REQUIRED) or ()):
        causes += _pod_term_causes(f"{field}.{_REQUIRED}[{position}]", term)
    for position, each in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{field}.{_PREFERRED}[{position}]"
        causes += _weight_causes(f"{where}.weight", each)
        causes += _pod_term_causes(f"{where}.podAffinityTerm", each.get("podAffinityTerm") or {})
    return causes


def _pod_term_causes(field: str, term: Object) -> list[Cause]:
    causes = label_selector_causes(f"{field}.labelSelector", term.get("labelSelector"))
    causes += label_selector_causes(f"{field}.namespaceSelector", term.get("namespaceSelector"))
    for name in term.get("namespaces") or ():
        causes += invalids(f"{field}.namespace", name, label_errors(name))
    causes += _affinity_key_causes(field, term)
    key = term.get("topologyKey", "")
    if not key:
        causes.append(required(f"{field}.topologyKey", "can not be empty"))
    return causes + invalids(f"{field}.topologyKey", key, qualified_name_errors(key))


def _affinity_key_causes(field: str, term: Object) -> list[Cause]:
    """matchLabelKeys has become part of the selector by now; a key that was there before is one too many."""
    selector = term.get("labelSelector")
    causes: list[Cause] = []
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(name) or []
        if keys and selector is None:
            causes.append(forbidden(f"{field}.{name}", _NO_SELECTOR))
            continue
        for position, key in enumerate(keys):
            causes += invalids(f"{field}.{name}[{position}]", key, qualified_name_errors(key))
    matched, mismatched = term.get("matchLabelKeys") or [], term.get("mismatchLabelKeys") or []
    seen = set((selector or {}).get("matchLabels") or ())
    for each in (selector or {}).get("matchExpressions") or ():
        if each.get("key") in matched and each["key"] in seen:
            causes.append(invalid(f"{field}[{matched.index(each['key'])}]", each["key"], _BOTH_KEYS))
        seen.add(each.get("key"))
    for position, key in enumerate(matched):
        if key in mismatched:
            why = "exists in both matchLabelKeys and mismatchLabelKeys"
            causes.append(invalid(f"{field}.matchLabelKeys[{position}]", key, why))
    return causes


def spread_causes(field: str, constraints: list[Object]) -> list[Cause]:
    """topologySpreadConstraints."""
    causes: list[Cause] = []
    for position, each in enumerate(constraints):
        where = f"{field}[{position}]"
        causes += _spread_basics(where, each)
        pair = _spread_pair(each)
        if pair in [_spread_pair(other) for other in constraints[position + 1 :]]:
            shown = f"{{{pair[0]}, {pair[1]}}}"
            causes.append(duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", shown))
        causes += _min_domain_causes(f"{where}.minDomains", each)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = each.get(name)
            if policy is not None and policy not in ("Honor", "Ignore"):
                causes.append(not_supported(f"{where}.{name}", policy, ("Honor", "Ignore")))
        causes += _spread_key_causes(f"{where}.matchLabelKeys", each)
        causes += label_selector_causes(f"{where}.labelSelector", each.get("labelSelector"))
    return causes


def _spread_pair(each: Object) -> tuple[str, str]:
    """There is one constraint for each topology and action."""
    return each.get("topologyKey", ""), each.get("whenUnsatisfiable", "")


def _spread_basics(field: str, each: Object) -> list[Cause]:
    skew, action = each.get("maxSkew", 0), each.get("whenUnsatisfiable", "")
    causes = [] if skew > 0 else [invalid(f"{field}.maxSkew", skew, "must be greater than zero")]
    if not each.get("topologyKey"):
        causes.append(required(f"{field}.topologyKey", "can not be empty"))
    actions = ("DoNotSchedule", "ScheduleAnyway")
    if action not in actions:
        causes.append(not_supported(f"{field}.whenUnsatisfiable", action, actions))
    return causes


def _min_domain_causes(field: str, each: Object) -> list[Cause]:
    domains, action = each.get("minDomains"), each.get("whenUnsatisfiable", "")
    if domains is None:
        return []
    causes = [] if domains > 0 else [invalid(field, domains, "must be greater than zero")]
    if action != "DoNotSchedule":
        why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        causes.append(invalid(field, domains, why))
    return causes


def _spread_key_causes(field: str, each: Object) -> list[Cause]:
    """As for affinity, the keys have become part of the selector by now: once is right, twice too many."""
    keys, selector = each.get("matchLabelKeys") or [], each.get("labelSelector")
    if not keys:
        return []
    causes = [] if selector is not None else [forbidden(field, _NO_SELECTOR)]
    taken = [*((selector or {}).get("matchLabels") or ())]
    taken += [each.get("key", "") for each in (selector or {}).get("matchExpressions") or ()]
    for position, key in enumerate(keys):
        causes += invalids(f"{field}[{position}]", key, qualified_name_errors(key))
        if taken.count(key) > 1:
            causes.append(invalid(f"{field}[{position}]", key, _BOTH_KEYS))
    return causes
