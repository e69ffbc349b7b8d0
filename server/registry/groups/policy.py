"""The kinds of the policy group."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.scheduling_validation import selector_causes
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy


class DisruptionBudgets(Strategy):
    has_generation = True
    unconditional_update = False
    columns = columns("Min Available", "Max Unavailable", Column("Allowed Disruptions", "integer"), AGE)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = selector_causes("spec.selector", spec.get("selector"))
        if "minAvailable" in spec and "maxUnavailable" in spec:
            why = "minAvailable and maxUnavailable cannot be both set"
            causes.append(invalid("spec", spec, why))
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            str(spec.get("minAvailable", "N/A")),
            str(spec.get("maxUnavailable", "N/A")),
            (obj.get("status") or {}).get("disruptionsAllowed", 0),
            object_age(obj, now),
        ]


KINDS = (
    Kind(
        "policy",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        DisruptionBudgets(),
        short_names=("pdb",),
        subresources=status("PodDisruptionBudget"),
    ),
)
