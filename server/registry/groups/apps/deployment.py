"""Deployments."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, forbidden, invalid, not_supported
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.apps.rolling import bound_causes, is_zero
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.groups.workload import (
    WIDE_COLUMNS,
    changed_warnings,
    collision_causes,
    immutable_selector_causes,
    pod_name_warnings,
    replicas_of,
    status_count_causes,
    wide_cells,
    workload_causes,
)
from server.registry.strategy import Scope, Strategy

_ROLLING = "spec.strategy.rollingUpdate"


class Deployments(Strategy):
    has_generation = True
    changes_last = True
    reset_by_status = ("spec", "metadata.labels")
    columns = columns(
        Column("Ready", description="Number of the pod with ready state"),
        "Up-to-date",
        "Available",
        AGE,
        *WIDE_COLUMNS,
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
        strategy = spec.setdefault("strategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")
        default_template(spec.setdefault("template", {}))

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """Annotations count as intent: rollouts are steered by some of them."""
        if meta.annotations(obj) != meta.annotations(old):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        keep_labels(obj, old)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = workload_causes(spec, noun="deployment") + _strategy_causes(spec["strategy"])
        deadline, ready = spec["progressDeadlineSeconds"], spec.get("minReadySeconds", 0)
        causes += at_least("spec.progressDeadlineSeconds", deadline)
        if deadline <= ready:
            why = "must be greater than minReadySeconds"
            causes.append(invalid("spec.progressDeadlineSeconds", deadline, why))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return immutable_selector_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return status_count_causes(
            obj, "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"
        ) + collision_causes(obj, old)

    def warnings(self, obj: Object) -> list[str]:
        return pod_name_warnings(obj) + template_warnings("spec.template", obj["spec"]["template"])

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return changed_warnings(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            f"{replicas_of(obj, 'readyReplicas')}/{spec.get('replicas', 0)}",
            replicas_of(obj, "updatedReplicas"),
            replicas_of(obj, "availableReplicas"),
            object_age(obj, now),
            *wide_cells(spec.get("template") or {}, spec.get("selector")),
        ]


def keep_labels(obj: Object, old: Object) -> None:
    """The labels of workloads do not change through /status."""
    if "labels" in old["metadata"]:
        obj["metadata"]["labels"] = old["metadata"]["labels"]
    else:
        obj["metadata"].pop("labels", None)


def _strategy_causes(strategy: Object) -> list[Cause]:
    kinds = ("Recreate", "RollingUpdate")
    causes = [] if strategy.get("type") in kinds else [not_supported("spec.strategy", strategy, kinds)]
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [*causes, forbidden(_ROLLING, why)]
    if rolling is None:
        return causes
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes += bound_causes(f"{_ROLLING}.maxUnavailable", unavailable, limited=True)
    causes += bound_causes(f"{_ROLLING}.maxSurge", surge)
    if is_zero(unavailable) and is_zero(surge):
        why = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid(f"{_ROLLING}.maxUnavailable", unavailable, why))
    return causes
