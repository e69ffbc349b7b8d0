"""The kinds of scheduling.k8s.io."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, immutable, not_supported
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.kind import Kind
from server.registry.strategy import Strategy

HIGHEST = 1_000_000_000
"""Of the classes that users may make; the system's own are above."""
SYSTEM_PREFIX = "system-"
SYSTEM: Mapping[str, Object] = {
    "system-node-critical": {
        "value": 2000001000,
        "description": ("Used for system critical pods that must not be moved from their current node."),
    },
    "system-cluster-critical": {
        "value": 2000000000,
        "description": (
            "Used for system critical pods that must run in the cluster, but can be moved to another node if"
            " necessary."
        ),
    },
}
"""The classes that every cluster has."""
_POLICIES = ("Never", "PreemptLowerPriority")


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
        causes: list[Cause] = []
        if name.startswith(SYSTEM_PREFIX):
            if (why := _difference(name, obj)) is not None:
                reserved = f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved"
                why = f"{reserved} for system use only. error: {why}"
                causes.append(forbidden("metadata.name", why))
        elif value > HIGHEST:
            causes.append(
                forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST}")
            )
        policy = obj.get("preemptionPolicy")
        if policy not in _POLICIES:
            causes.append(not_supported("preemptionPolicy", policy, _POLICIES))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        causes: list[Cause] = []
        if obj.get("value") != old.get("value"):
            causes.append(forbidden("value", "may not be changed in an update."))
        if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
            causes.append(immutable("preemptionPolicy", obj.get("preemptionPolicy")))
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [
            meta.name(obj),
            obj.get("value", 0),
            bool(obj.get("globalDefault")),
            object_age(obj, now),
            obj.get("preemptionPolicy", ""),
        ]


def _difference(name: str, obj: Object) -> str | None:
    """In what the class is not the system's of that name."""
    known = SYSTEM.get(name)
    if known is None:
        return f"{name} is not a known system priority class"
    if obj.get("value") != known["value"]:
        return f"value of {name} PriorityClass must be {known['value']}"
    if obj.get("globalDefault"):
        return f"globalDefault of {name} PriorityClass must be false"
    return None


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
