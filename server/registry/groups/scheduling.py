"""The kinds of scheduling.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, immutable
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_HIGHEST = 1_000_000_000
_SYSTEM_PREFIX = "system-"


class PriorityClasses(Strategy):
    has_generation = True
    columns = columns(
        Column("Value", "integer"), Column("Global-Default", "boolean"), AGE, "PreemptionPolicy"
    )

    def default(self, obj: Object) -> None:
        obj.setdefault("value", 0)
        obj.setdefault("preemptionPolicy", "PreemptLowerPriority")

    def validate(self, obj: Object) -> list[Cause]:
        name, value = meta.name(obj), obj.get("value", 0)
        if name.startswith(_SYSTEM_PREFIX):
            return []
        if value > _HIGHEST:
            why = f"maximum allowed value of a user defined priority is {_HIGHEST}"
            return [forbidden("value", why)]
        return []

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [
            immutable(name, obj.get(name))
            for name in ("value", "preemptionPolicy")
            if obj.get(name) != old.get(name)
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [
            meta.name(obj),
            obj.get("value", 0),
            bool(obj.get("globalDefault")),
            object_age(obj, now),
            obj.get("preemptionPolicy", ""),
        ]


KINDS = (
    Kind(
        "scheduling.k8s.io",
        "PriorityClass",
        "priorityclasses",
        PriorityClasses(),
        namespaced=False,
        short_names=("pc",),
    ),
)
