"""Validation of ResourceQuotas and LimitRanges."""

from decimal import Decimal

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors
from server.registry.causes import duplicate, forbidden, immutable, invalid, invalids, required
from server.registry.groups.core.resource_validation import (
    STANDARD,
    amount_causes,
    container_name_causes,
    overcommits,
    resource_name_causes,
)

_SCOPES = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass",
    "CrossNamespacePodAffinity", "VolumeAttributesClass",
)  # fmt: skip
_VALUELESS = (*_SCOPES[:4], "CrossNamespacePodAffinity")
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_POD_RESOURCES = frozenset(
    ["pods", "cpu", "memory", "ephemeral-storage"]
    + [
        f"{which}.{name}"
        for which in ("requests", "limits")
        for name in ("cpu", "memory", "ephemeral-storage")
    ]
)
_CLAIM_RESOURCES = frozenset(("persistentvolumeclaims", "requests.storage", "storage"))
_NO_SCOPE = "unsupported scope applied to resource"
_LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def quota_causes(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _hard_causes("spec.hard", spec.get("hard") or {})
    return causes + _scope_causes(spec) + _scope_selector_causes(spec)


def _hard_causes(field: str, amounts: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name, amount in amounts.items():
        where = f"{field}[{name}]"
        wrong = resource_name_causes(where, name)
        if "/" not in name and not _is_quota_name(name):
            wrong.append(invalid(where, name, "must be a standard resource for quota"))
        causes += wrong + amount_causes(where, name, amount)
    return causes


def _is_quota_name(name: str) -> bool:
    if name.startswith(("count/", "hugepages-", "requests.hugepages-")):
        return True
    return name in STANDARD and name != "storage"


def quota_update_causes(obj: Object, old: Object) -> list[Cause]:
    new, before = ((each.get("spec") or {}).get("scopes") or [] for each in (obj, old))
    return [] if set(new) == set(before) else [immutable("spec.scopes", new)]


def quota_status_causes(obj: Object) -> list[Cause]:
    status = obj.get("status") or {}
    return _hard_causes("status.hard", status.get("hard") or {}) + _hard_causes(
        "status.used", status.get("used") or {}
    )


def _covers(scope: str, name: str) -> bool:
    """Whether a quota on the resource can be narrowed by the scope."""
    if name not in STANDARD and not name.startswith(("hugepages-", "requests.hugepages-")):
        return True
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in _CLAIM_RESOURCES
    return name in _POD_RESOURCES or name.startswith(("hugepages-", "requests.hugepages-"))


def _scope_causes(spec: Object) -> list[Cause]:
    scopes, field = spec.get("scopes") or [], "spec.scopes"
    causes: list[Cause] = []
    for scope in scopes:
        if scope not in _SCOPES:
            causes.append(invalid(field, scopes, "unsupported scope"))
        names = [name for name in sorted(spec.get("hard") or ()) if not _covers(scope, name)]
        causes += [invalid(field, scopes, _NO_SCOPE) for _ in names]
    return causes + _conflict_causes(field, scopes)


def _conflict_causes(field: str, scopes: list[str]) -> list[Cause]:
    return [invalid(field, scopes, "conflicting scopes") for pair in _CONFLICTS if pair <= set(scopes)]


def _scope_selector_causes(spec: Object) -> list[Cause]:
    selector, field = spec.get("scopeSelector"), "spec.scopeSelector.matchExpressions"
    if selector is None:
        return []
    causes: list[Cause] = []
    expressions = selector.get("matchExpressions") or []
    for each in expressions:
        scope = each.get("scopeName", "")
        if scope not in _SCOPES:
            causes.append(invalid(f"{field}.scopeName", scope, "unsupported scope"))
        names = [name for name in sorted(spec.get("hard") or ()) if not _covers(scope, name)]
        causes += [invalid(field, selector, _NO_SCOPE) for _ in names]
        causes += _operator_causes(field, scope, each)
    return causes + _conflict_causes(field, [each.get("scopeName", "") for each in expressions])


def _operator_causes(field: str, scope: str, each: Object) -> list[Cause]:
    operator, values = each.get("operator", ""), each.get("values") or []
    causes: list[Cause] = []
    if scope in _VALUELESS and operator != "Exists":
        why = (
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating,"
            " ResourceQuotaScopeNotTerminating,"
            " ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or"
            " ResourceQuotaScopeCrossNamespacePodAffinity"
        )
        causes.append(invalid(f"{field}.operator", operator, why))
    if operator in ("In", "NotIn"):
        why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        causes += [] if values else [required(f"{field}.values", why)]
    elif operator in ("Exists", "DoesNotExist"):
        why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        causes += [invalid(f"{field}.values", values, why)] if values else []
    else:
        causes.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    return causes


def limit_range_causes(obj: Object) -> list[Cause]:
    causes: list[Cause] = []
    kinds: set[str] = set()
    for position, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        where, kind = f"spec.limits[{position}]", limit.get("type", "")
        causes += _limit_type_causes(f"{where}.type", kind)
        causes += [duplicate(f"{where}.type", kind)] if kind in kinds else []
        kinds.add(kind)
        causes += _limit_causes(where, kind, limit)
    return causes


def _limit_type_causes(field: str, kind: str) -> list[Cause]:
    if errors := qualified_name_errors(kind):
        return invalids(field, kind, errors)
    if "/" in kind or kind in _LIMIT_TYPES:
        return []
    return [invalid(field, kind, "must be a standard limit type or fully qualified")]


def _limit_causes(field: str, kind: str, limit: Object) -> list[Cause]:
    causes: list[Cause] = []
    names: dict[str, None] = {}
    check = container_name_causes if kind in ("Pod", "Container") else resource_name_causes
    for part in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        given = limit.get(part) or {}
        if kind == "Pod" and part.startswith("default"):
            why = "may not be specified when `type` is 'Pod'"
            causes += [forbidden(f"{field}.{part}", why)] if given else []
            continue
        for name in given:
            causes += check(f"{field}.{part}[{name}]", name)
            names[name] = None
        if part == "defaultRequest" and kind == "PersistentVolumeClaim" and not _has_storage(limit):
            why = "either minimum or maximum storage value is required, but neither was provided"
            causes.append(required(f"{field}.limits", why))
    for name in names:
        causes += _order_causes(field, name, limit)
    return causes


def _has_storage(limit: Object) -> bool:
    return any("storage" in (limit.get(part) or {}) for part in ("min", "max"))


_ORDERS = (
    ("min", "max", "min", "min value {0} is greater than max value {1}"),
    ("min", "defaultRequest", "defaultRequest", "min value {0} is greater than default request value {1}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {0} is greater than max value {1}"),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "default request value {0} is greater than default limit value {1}",
    ),
    ("min", "default", "default", "min value {0} is greater than default value {1}"),
    ("default", "max", "default", "default value {0} is greater than max value {1}"),
)
"""Which must not be greater than which, where that is told, and how."""
_SHOWN = {"min value {0} is greater than default value {1}": "min", _ORDERS[5][3]: "max"}


def _order_causes(field: str, name: str, limit: Object) -> list[Cause]:
    texts = {part: (limit.get(part) or {})[name] for part in limit if name in (_mapping(limit.get(part)))}
    values = {part: quantity.parse(text) for part, text in texts.items()}
    causes: list[Cause] = []
    for low, high, place, why in _ORDERS:
        if low in values and high in values and values[low] > values[high]:
            shown = texts[_SHOWN.get(why, place)]
            causes.append(invalid(f"{field}.{place}[{name}]", shown, why.format(texts[low], texts[high])))
    causes += _ratio_causes(f"{field}.maxLimitRequestRatio[{name}]", texts, values)
    request, default = values.get("defaultRequest"), values.get("default")
    if not overcommits(name) and None not in (request, default) and request != default:
        why = (
            f"default value {texts['default']} must equal to defaultRequest value"
            f" {texts['defaultRequest']} in {name}"
        )
        causes.append(invalid(f"{field}.defaultRequest[{name}]", texts["defaultRequest"], why))
    return causes


def _mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _ratio_causes(field: str, texts: dict[str, str], values: dict[str, Decimal]) -> list[Cause]:
    ratio = values.get("maxLimitRequestRatio")
    if ratio is None:
        return []
    shown = texts["maxLimitRequestRatio"]
    causes = [invalid(field, shown, f"ratio {shown} is less than 1")] if ratio < 1 else []
    if "min" in values and "max" in values and values["min"] > 0:
        most = values["max"] / values["min"]
        if ratio > most:
            why = f"ratio {shown} is greater than max/min = {float(most):f}"
            causes.append(invalid(field, shown, why))
    return causes
