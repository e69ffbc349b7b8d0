"""Validation of HorizontalPodAutoscalers."""

from collections.abc import Callable, Mapping

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, path_segment_errors
from server.registry.causes import at_least, forbidden, invalid, invalids, not_supported, required
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.resource_validation import container_name_causes

_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_SELECTIONS = ("Disabled", "Max", "Min")
_POLICIES = ("Percent", "Pods")
_TARGETS = ("Utilization", "Value", "AverageValue")
_BOTH = "may not set both a target raw value and a target utilization"
_NEITHER = "must set either a target raw value or a target utilization"


def autoscaler_causes(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    causes = at_least("spec.minReplicas", low, 1)
    if high < 1:
        causes.append(invalid("spec.maxReplicas", high, "must be greater than 0"))
    if low is not None and high < low:
        why = "must be greater than or equal to `minReplicas`"
        causes.append(invalid("spec.maxReplicas", high, why))
    causes += _reference_causes("spec.scaleTargetRef", spec.get("scaleTargetRef") or {})
    for position, metric in enumerate(spec.get("metrics") or ()):
        causes += _metric_causes(f"spec.metrics[{position}]", metric)
    for name in ("scaleUp", "scaleDown"):
        if (rules := (spec.get("behavior") or {}).get(name)) is not None:
            causes += _rule_causes(f"spec.behavior.{name}", rules)
    return causes


def autoscaler_status_causes(obj: Object) -> list[Cause]:
    status = obj.get("status") or {}
    causes = at_least("status.currentReplicas", status.get("currentReplicas"))
    return causes + at_least("status.desiredReplicas", status.get("desiredReplicas"))


def _reference_causes(field: str, reference: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("kind", "name"):
        value, where = reference.get(name, ""), f"{field}.{name}"
        causes += invalids(where, value, path_segment_errors(value)) if value else [required(where)]
    return causes


def _rule_causes(field: str, rules: Object) -> list[Cause]:
    window, selection = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    where = f"{field}.stabilizationWindowSeconds"
    causes: list[Cause] = []
    if window is not None and window < 0:
        causes.append(invalid(where, window, "must be greater than or equal to zero"))
    if window is not None and window > _LONGEST_WINDOW:
        causes.append(invalid(where, window, f"must be less than or equal to {_LONGEST_WINDOW}"))
    if selection is not None and selection not in _SELECTIONS:
        causes.append(not_supported(f"{field}.selectPolicy", selection, _SELECTIONS))
    policies = rules.get("policies") or []
    if not policies:
        causes.append(required(f"{field}.policies", "must specify at least one Policy"))
    for position, policy in enumerate(policies):
        causes += _policy_causes(f"{field}.policies[{position}]", policy)
    tolerance = rules.get("tolerance")
    if tolerance is not None and quantity.parse(tolerance) < 0:
        causes.append(invalid(f"{field}.tolerance", tolerance, "must be greater than or equal to 0"))
    return causes


def _policy_causes(field: str, policy: Object) -> list[Cause]:
    kind, value, period = policy.get("type", ""), policy.get("value", 0), policy.get("periodSeconds", 0)
    causes: list[Cause] = []
    if kind not in _POLICIES:
        causes.append(not_supported(f"{field}.type", kind, _POLICIES))
    for name, number in (("value", value), ("periodSeconds", period)):
        if number <= 0:
            causes.append(invalid(f"{field}.{name}", number, "must be greater than zero"))
    if period > _LONGEST_PERIOD:
        why = f"must be less than or equal to {_LONGEST_PERIOD}"
        causes.append(invalid(f"{field}.periodSeconds", period, why))
    return causes


def _metric_causes(field: str, metric: Object) -> list[Cause]:
    kind = metric.get("type", "")
    causes: list[Cause] = []
    if not kind:
        causes.append(required(f"{field}.type", "must specify a metric source type"))
    if kind not in _KINDS:
        causes += [not_supported(f"{field}.type", kind, _KINDS)] * 2
    present = [name for name in _SOURCES if metric.get(name) is not None]
    for name in present[:1]:
        causes += _SOURCES[name](f"{field}.{name}", metric[name])
    expected = _KINDS.get(kind)
    if expected and expected not in present:
        why = "must populate information for the given metric source"
        causes.append(required(f"{field}.{expected}", why))
    if len(present) != 1:
        why = "must populate the given metric source only"
        causes += [forbidden(f"{field}.{name}", why) for name in present if name != expected]
    return causes


def _identifier_causes(field: str, metric: Object) -> list[Cause]:
    name, where = metric.get("name", ""), f"{field}.name"
    causes = invalids(where, name, path_segment_errors(name)) if name else []
    if not name:
        causes.append(required(where, "must specify a metric name"))
    return causes + label_selector_causes(f"{field}.selector", metric.get("selector"))


def _target_causes(field: str, target: Object) -> list[Cause]:
    kind, percent = target.get("type", ""), target.get("averageUtilization")
    causes = [] if kind else [required(f"{field}.type", "must specify a metric target type")]
    if kind not in _TARGETS:
        why = "must be either Utilization, Value, or AverageValue"
        causes.append(invalid(f"{field}.type", kind, why))
    for name in ("value", "averageValue"):
        if (amount := target.get(name)) is not None and quantity.parse(amount) <= 0:
            causes.append(invalid(f"{field}.{name}", amount, "must be positive"))
    if percent is not None and percent < 1:
        causes.append(invalid(f"{field}.averageUtilization", percent, "must be greater than 0"))
    return causes


def _has(source: Object, name: str) -> bool:
    return (source.get("target") or {}).get(name) is not None


def _object_causes(field: str, source: Object) -> list[Cause]:
    causes = _reference_causes(f"{field}.describedObject", source.get("describedObject") or {})
    causes += _identifier_causes(f"{field}.metric", source.get("metric") or {})
    causes += _target_causes(f"{field}.target", source.get("target") or {})
    if not _has(source, "value") and not _has(source, "averageValue"):
        why = "must set either a target value or averageValue"
        causes.append(required(f"{field}.target.averageValue", why))
    return causes


def _external_causes(field: str, source: Object) -> list[Cause]:
    causes = _identifier_causes(f"{field}.metric", source.get("metric") or {})
    causes += _target_causes(f"{field}.target", source.get("target") or {})
    if not _has(source, "value") and not _has(source, "averageValue"):
        why = "must set either a target value for metric or a per-pod target"
        causes.append(required(f"{field}.target.averageValue", why))
    if _has(source, "value") and _has(source, "averageValue"):
        why = "may not set both a target value for metric and a per-pod target"
        causes.append(forbidden(f"{field}.target.value", why))
    return causes


def _pods_causes(field: str, source: Object) -> list[Cause]:
    causes = _identifier_causes(f"{field}.metric", source.get("metric") or {})
    causes += _target_causes(f"{field}.target", source.get("target") or {})
    if not _has(source, "averageValue"):
        why = "must specify a positive target averageValue"
        causes.append(required(f"{field}.target.averageValue", why))
    return causes


def _resource_causes(field: str, source: Object) -> list[Cause]:
    causes: list[Cause] = []
    if not source.get("name"):
        causes.append(required(f"{field}.name", "must specify a resource name"))
    causes += _target_causes(f"{field}.target", source.get("target") or {})
    percent, amount = _has(source, "averageUtilization"), _has(source, "averageValue")
    if not percent and not amount:
        causes.append(required(f"{field}.target.averageUtilization", _NEITHER))
    if percent and amount:
        causes.append(forbidden(f"{field}.target.averageValue", _BOTH))
    return causes


def _container_causes(field: str, source: Object) -> list[Cause]:
    name, container = source.get("name"), source.get("container", "")
    causes = container_name_causes(f"{field}.name", name) if name else []
    where = f"{field}.container"
    if container:
        causes += invalids(where, container, label_errors(container))
    else:
        causes.append(required(where, "must specify a container"))
    return causes + _resource_causes(field, source)


_SOURCES: Mapping[str, Callable[[str, Object], list[Cause]]] = {
    "object": _object_causes,
    "external": _external_causes,
    "pods": _pods_causes,
    "resource": _resource_causes,
    "containerResource": _container_causes,
}
_KINDS = {name[0].upper() + name[1:]: name for name in _SOURCES}
