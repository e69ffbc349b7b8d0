"""The kinds of the autoscaling group: HorizontalPodAutoscaler in v2, which is stored, and v1."""

from datetime import datetime
from typing import Any

import orjson

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, invalid, required
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_OTHER_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_TARGET = "targetCPUUtilizationPercentage"
_DEFAULT_TARGET = 80


class Autoscalers(Strategy):
    columns = columns(
        "Reference",
        "Targets",
        "MinPods",
        "MaxPods",
        Column("Replicas", "integer"),
        AGE,
    )

    def to_storage(self, obj: Object, version: str) -> Object:
        """v1 knows CPU utilization only; v2's other metrics travel through it in an annotation."""
        if version != "v1":
            return obj
        spec = obj.setdefault("spec", {})
        target = spec.pop(_TARGET, None)
        annotations = (obj.get("metadata") or {}).get("annotations") or {}
        others = orjson.loads(annotations.pop(_OTHER_METRICS, "[]"))
        metrics = ([_cpu(target)] if target is not None else []) + others
        if metrics:
            spec["metrics"] = metrics
        return obj

    def from_storage(self, obj: Object, version: str) -> Object:
        if version != "v1":
            return obj
        spec = obj.get("spec") or {}
        metrics = spec.pop("metrics", None) or []
        others = [each for each in metrics if _utilization(each) is None]
        target = next((_utilization(each) for each in metrics if _utilization(each) is not None), None)
        if target is not None:
            spec[_TARGET] = target
        if others:
            annotations = obj["metadata"].setdefault("annotations", {})
            annotations[_OTHER_METRICS] = orjson.dumps(others).decode()
        spec.pop("behavior", None)
        _status_of_v1(obj)
        return obj

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if not spec.get("metrics"):
            spec["metrics"] = [_cpu(_DEFAULT_TARGET)]

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        low, high = spec["minReplicas"], spec.get("maxReplicas", 0)
        causes = at_least("spec.minReplicas", low, 1)
        if high < 1:
            causes.append(invalid("spec.maxReplicas", high, "must be greater than 0"))
        elif high < low:
            why = "must be greater than or equal to `minReplicas`"
            causes.append(invalid("spec.maxReplicas", high, why))
        reference = spec.get("scaleTargetRef") or {}
        return causes + [
            required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not reference.get(name)
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, state = obj.get("spec") or {}, obj.get("status") or {}
        reference = spec.get("scaleTargetRef") or {}
        return [
            meta.name(obj),
            f"{reference.get('kind')}/{reference.get('name')}",
            _targets(spec.get("metrics") or [], state.get("currentMetrics") or []),
            str(spec.get("minReplicas", "<unset>")),
            spec.get("maxReplicas", 0),
            state.get("currentReplicas", 0),
            object_age(obj, now),
        ]


def _cpu(percent: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _utilization(metric: Object) -> int | None:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    found: int | None = (resource.get("target") or {}).get("averageUtilization")
    return found


def _status_of_v1(obj: Object) -> None:
    state = obj.get("status")
    if not state:
        return
    for metric in state.pop("currentMetrics", None) or ():
        resource = metric.get("resource") or {}
        percent = (resource.get("current") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and percent is not None:
            state["currentCPUUtilizationPercentage"] = percent
    state.pop("conditions", None)


def _targets(metrics: list[Object], current: list[Object]) -> str:
    if not metrics:
        return "<none>"
    shown = [_target(metric, current[n] if n < len(current) else {}) for n, metric in enumerate(metrics[:2])]
    more = f" + {len(metrics) - 2} more..." if len(metrics) > 2 else ""
    return ", ".join(shown) + more


def _target(metric: Object, current: Object) -> str:
    kind = metric.get("type", "")
    source = metric.get(kind[:1].lower() + kind[1:]) or {}
    target, now = (
        source.get("target") or {},
        (current.get(kind[:1].lower() + kind[1:]) or {}).get("current") or {},
    )
    if (percent := target.get("averageUtilization")) is not None:
        used = now.get("averageUtilization")
        name = source.get("name", "")
        return f"{name}: {'<unknown>' if used is None else f'{used}%'}/{percent}%"
    wanted = target.get("averageValue") or target.get("value")
    return f"{now.get('averageValue') or now.get('value') or '<unknown>'}/{wanted}"


KINDS = (
    Kind(
        "autoscaling",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        Autoscalers(),
        versions=("v2", "v1"),
        short_names=("hpa",),
        categories=("all",),
        subresources=status("HorizontalPodAutoscaler"),
    ),
)
