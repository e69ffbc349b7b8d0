"""HorizontalPodAutoscalers in autoscaling/v1: what that version cannot say travels in annotations.

The annotations hold the old form of metrics (v2beta1's), conditions and behavior, as upstream writes them.
"""

from typing import Any

import orjson

from kubeling.objects.meta import Object

_PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
CONDITIONS, BEHAVIOR = f"{_PREFIX}conditions", f"{_PREFIX}behavior"
_ALL = (METRICS, CURRENT, CONDITIONS, BEHAVIOR)
_TARGET, _CURRENT = "targetCPUUtilizationPercentage", "currentCPUUtilizationPercentage"


def to_v2(obj: Object) -> Object:
    spec, annotations = obj.setdefault("spec", {}), (obj.get("metadata") or {}).get("annotations") or {}
    target = spec.pop(_TARGET, None)
    metrics = [_metric_to_v2(each) for each in _read(annotations, METRICS, [])]
    if target is not None:
        metrics.insert(0, cpu_metric(target))
    if metrics:
        spec["metrics"] = metrics
    if behavior := _read(annotations, BEHAVIOR, None):
        spec["behavior"] = behavior
    _status_to_v2(obj, annotations)
    if any(name in annotations for name in _ALL):
        rest = {key: value for key, value in annotations.items() if key not in _ALL}
        obj["metadata"]["annotations"] = rest
        if not rest:
            del obj["metadata"]["annotations"]
    return obj


def _read(annotations: Object, name: str, default: Any) -> Any:
    """An annotation that is no JSON counts as absent."""
    try:
        return orjson.loads(annotations[name])
    except (KeyError, orjson.JSONDecodeError):
        return default


def _status_to_v2(obj: Object, annotations: Object) -> None:
    status = obj.get("status")
    if status is None:
        return
    current = [_current_to_v2(each) for each in _read(annotations, CURRENT, [])]
    if (percent := status.pop(_CURRENT, None)) is not None:
        current.insert(
            0, {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}
        )
    if current:
        status["currentMetrics"] = current
    if conditions := _read(annotations, CONDITIONS, None):
        status["conditions"] = conditions


def to_v1(obj: Object) -> Object:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    noted: Object = {}
    target = next((each for each in metrics if _cpu_percent(each, "target") is not None), None)
    if target is not None:
        spec[_TARGET] = _cpu_percent(target, "target")
    if others := [_metric_to_v1(each) for each in metrics if each is not target]:
        noted[METRICS] = others
    used = next((each for each in current if _cpu_percent(each, "current") is not None), None)
    if used is not None:
        status[_CURRENT] = _cpu_percent(used, "current")
    if current:
        noted[CURRENT] = [_current_to_v1(each) for each in current]
    if status:
        status.setdefault("currentReplicas", 0)
    if conditions := status.pop("conditions", None):
        noted[CONDITIONS] = conditions
    if behavior := spec.pop("behavior", None):
        noted[BEHAVIOR] = behavior
    if noted:
        annotations = obj["metadata"].get("annotations") or {}
        written = {name: orjson.dumps(value).decode() for name, value in noted.items()}
        obj["metadata"]["annotations"] = {**annotations, **written}
    return obj


def cpu_metric(percent: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _cpu_percent(metric: Object, part: str) -> int | None:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    found: int | None = (resource.get(part) or {}).get("averageUtilization")
    return found


def _some(**fields: Any) -> Object:
    return {name: value for name, value in fields.items() if value is not None}


def _metric_to_v1(metric: Object) -> Object:
    """One of v2's metrics in the flat form of the annotation."""
    kind = metric.get("type", "")
    name = kind[:1].lower() + kind[1:]
    source = metric.get(name) or {}
    target, identity = source.get("target") or {}, source.get("metric") or {}
    common = _some(metricName=identity.get("name"), selector=identity.get("selector"))
    match kind:
        case "Resource" | "ContainerResource":
            flat = _some(
                name=source.get("name"),
                container=source.get("container"),
                targetAverageUtilization=target.get("averageUtilization"),
                targetAverageValue=target.get("averageValue"),
            )
        case "Pods":
            flat = _some(**common, targetAverageValue=target.get("averageValue"))
        case "Object":
            flat = _some(
                target=source.get("describedObject"),
                **common,
                targetValue=target.get("value", "0"),
                averageValue=target.get("averageValue"),
            )
        case _:
            flat = _some(
                metricName=identity.get("name"),
                metricSelector=identity.get("selector"),
                targetValue=target.get("value"),
                targetAverageValue=target.get("averageValue"),
            )
    return {"type": kind, name: flat}


def _metric_to_v2(metric: Object) -> Object:
    kind = metric.get("type", "")
    name = kind[:1].lower() + kind[1:]
    flat = metric.get(name) or {}
    if "target" in flat and kind != "Object":
        return metric  # an older kubeling wrote v2's own form
    selector = flat.get("metricSelector" if kind == "External" else "selector")
    found: Object = {"target": _target(kind, flat)}
    if kind in ("Resource", "ContainerResource"):
        found |= _some(name=flat.get("name"), container=flat.get("container"))
    else:
        found["metric"] = _some(name=flat.get("metricName"), selector=selector)
    if kind == "Object":
        found["describedObject"] = flat.get("target")
    return {"type": kind, name: found}


def _target(kind: str, flat: Object) -> Object:
    percent = flat.get("targetAverageUtilization")
    average = flat.get("averageValue" if kind == "Object" else "targetAverageValue")
    if percent is not None:
        return {"type": "Utilization", "averageUtilization": percent}
    if average is not None:
        return {"type": "AverageValue", "averageValue": average}
    return {"type": "Value", "value": flat.get("targetValue", "0")}


def _current_to_v1(metric: Object) -> Object:
    kind = metric.get("type", "")
    name = kind[:1].lower() + kind[1:]
    source = metric.get(name) or {}
    current, identity = source.get("current") or {}, source.get("metric") or {}
    flat = _some(
        name=source.get("name"),
        container=source.get("container"),
        target=source.get("describedObject"),
        metricName=identity.get("name"),
        currentAverageUtilization=current.get("averageUtilization"),
        currentAverageValue=current.get("averageValue"),
        currentValue=current.get("value"),
    )
    flat |= _some(**{"metricSelector" if kind == "External" else "selector": identity.get("selector")})
    return {"type": kind, name: flat}


def _current_to_v2(metric: Object) -> Object:
    kind = metric.get("type", "")
    name = kind[:1].lower() + kind[1:]
    flat = metric.get(name) or {}
    current = _some(
        averageUtilization=flat.get("currentAverageUtilization"),
        averageValue=flat.get("currentAverageValue"),
        value=flat.get("currentValue"),
    )
    found: Object = {"current": current}
    if kind in ("Resource", "ContainerResource"):
        found |= _some(name=flat.get("name"), container=flat.get("container"))
    else:
        selector = flat.get("metricSelector" if kind == "External" else "selector")
        found["metric"] = _some(name=flat.get("metricName"), selector=selector)
    if kind == "Object":
        found["describedObject"] = flat.get("target")
    return {"type": kind, name: found}
