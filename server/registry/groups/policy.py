"""The kinds of the policy group."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, invalid, not_supported
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.apps.rolling import bound_causes
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Scope, Strategy

_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
"""What the status counts; none is left out of it."""


class DisruptionBudgets(Strategy):
    has_generation = True
    unconditional_update = False
    columns = columns("Min Available", "Max Unavailable", Column("Allowed Disruptions", "integer"), AGE)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = dict.fromkeys(_COUNTS, 0)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes: list[Cause] = []
        if "minAvailable" in spec and "maxUnavailable" in spec:
            why = "minAvailable and maxUnavailable cannot be both set"
            causes.append(invalid("spec", spec, why))
        for name in ("minAvailable", "maxUnavailable"):
            causes += bound_causes(f"spec.{name}", spec.get(name), limited=True)
        causes += label_selector_causes("spec.selector", spec.get("selector"))
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in _POLICIES:
            causes.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
        return causes

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        status = obj.get("status") or {}
        return [cause for name in _COUNTS for cause in at_least(f"status.{name}", status.get(name))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            str(spec.get("minAvailable", "N/A")),
            str(spec.get("maxUnavailable", "N/A")),
            (obj.get("status") or {}).get("disruptionsAllowed", 0),
            object_age(obj, now),
        ]


BUDGETS = Kind(
    "policy",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    DisruptionBudgets(),
    short_names=("pdb",),
    subresources=status("PodDisruptionBudget"),
)
KINDS = (BUDGETS,)
