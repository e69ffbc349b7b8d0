"""The kinds of the autoscaling group: HorizontalPodAutoscaler in v2, which is stored, and v1."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.autoscaler_validation import autoscaler_causes, autoscaler_status_causes
from server.registry.groups.autoscaler_versions import cpu_metric, to_v1, to_v2
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Scope, Strategy

_RULES: dict[str, list[Object]] = {
    "scaleUp": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
    "scaleDown": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_DEFAULT_TARGET = 80


class Autoscalers(Strategy):
    columns = columns(
        "Reference",
        "Targets",
        "MinPods",
        "MaxPods",
        "Replicas",
        AGE,
    )

    def to_storage(self, obj: Object, version: str) -> Object:
        return to_v2(obj) if version == "v1" else obj

    def from_storage(self, obj: Object, version: str) -> Object:
        return to_v1(obj) if version == "v1" else obj

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if not spec.get("metrics"):
            spec["metrics"] = [cpu_metric(_DEFAULT_TARGET)]
        if spec.get("behavior"):
            for name in _RULES:
                _default_rules(spec["behavior"].setdefault(name, {}), name)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}

    def validate(self, obj: Object) -> list[Cause]:
        return autoscaler_causes(obj)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return autoscaler_status_causes(obj)

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


def _default_rules(rules: Object, name: str) -> None:
    """What a scaling rule leaves open."""
    rules.setdefault("selectPolicy", "Max")
    if name == "scaleUp":
        rules.setdefault("stabilizationWindowSeconds", 0)
    if not rules.get("policies"):
        rules["policies"] = [dict(each) for each in _RULES[name]]


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
    average = target.get("averageValue")
    shown = "averageValue" if average is not None else "value"
    text = f"{now.get(shown) or '<unknown>'}/{average or target.get('value')}"
    if kind in ("Resource", "ContainerResource"):
        return f"{source.get('name', '')}: {text}"
    return f"{text} (avg)" if average is not None and kind != "Pods" else text


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
