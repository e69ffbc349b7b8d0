"""The kinds of metrics.k8s.io. Where their objects come from is `server.api.resource_metrics`'s.

An APIService that names a Service hands the group over: then these kinds are not this server's to show.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubeling.objects import meta, quantity
from kubeling.objects.meta import Object
from server.registry.columns import NAME, Column
from server.registry.kind import Kind
from server.registry.strategy import Strategy

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
_RESOURCES = ("cpu", "memory")
_USAGE = {"type": "object", "additionalProperties": {"type": "string", "x-kubernetes-int-or-string": True}}
_WHEN: Object = {
    "timestamp": {"type": "string", "format": "date-time"},
    "window": {"type": "string"},
}


class _Metrics(Strategy):
    columns = (
        NAME,
        *(Column(each, format="quantity", description=f"Resource usage for {each}") for each in _RESOURCES),
        Column("Window", format="duration", description="Window over which the usage was measured"),
    )

    def usages(self, obj: Object) -> Sequence[Object]:
        raise NotImplementedError

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        usages = self.usages(obj)
        totals = [quantity.total([each[name] for each in usages if name in each]) for name in _RESOURCES]
        return [meta.name(obj), *totals, obj.get("window", "")]


class NodeMetrics(_Metrics):
    def usages(self, obj: Object) -> Sequence[Object]:
        return [obj.get("usage") or {}]


class PodMetrics(_Metrics):
    def usages(self, obj: Object) -> Sequence[Object]:
        return [each.get("usage") or {} for each in obj.get("containers") or ()]


_CONTAINER = {
    "type": "object",
    "required": ["name", "usage"],
    "properties": {"name": {"type": "string"}, "usage": _USAGE},
}

KINDS = (
    Kind(
        GROUP,
        "NodeMetrics",
        "nodes",
        NodeMetrics(),
        versions=(VERSION,),
        namespaced=False,
        verbs=("get", "list"),
        computed=True,
        custom_schema={
            "type": "object",
            "required": ["timestamp", "window", "usage"],
            "properties": {**_WHEN, "usage": _USAGE},
        },
    ),
    Kind(
        GROUP,
        "PodMetrics",
        "pods",
        PodMetrics(),
        versions=(VERSION,),
        verbs=("get", "list"),
        computed=True,
        custom_schema={
            "type": "object",
            "required": ["timestamp", "window", "containers"],
            "properties": {**_WHEN, "containers": {"type": "array", "items": _CONTAINER}},
        },
    ),
)
