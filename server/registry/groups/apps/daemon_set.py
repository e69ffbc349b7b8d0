"""DaemonSets."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, invalid, required, unsupported
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.apps.deployment import keep_labels
from server.registry.groups.apps.rolling import bound_causes, is_zero
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.groups.workload import (
    WIDE_COLUMNS,
    changed_warnings,
    collision_causes,
    immutable_selector_causes,
    replicas_of,
    wide_cells,
    workload_causes,
)
from server.registry.selectors import selector_text
from server.registry.strategy import Scope, Strategy

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_COUNTS = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
_ALL_COUNTS = (
    *_COUNTS,
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


class DaemonSets(Strategy):
    has_generation = True
    changes_last = True
    reset_by_status = ("spec", "metadata.labels")
    columns = columns(
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        Column("Up-to-date", "integer"),
        Column("Available", "integer"),
        "Node Selector",
        AGE,
        *WIDE_COLUMNS,
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("revisionHistoryLimit", 10)
        strategy = spec.setdefault("updateStrategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)
        default_template(spec.setdefault("template", {}))

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = dict.fromkeys(_COUNTS, 0)
        annotations = obj["metadata"].get("annotations") or {}
        obj["metadata"]["annotations"] = {_TEMPLATE_GENERATION: "1", **annotations}

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """The annotation counts the changes of the template, whatever the client sends."""
        counted = meta.annotations(old).get(_TEMPLATE_GENERATION, "1")
        if obj["spec"].get("template") != old["spec"].get("template") and counted.isdecimal():
            counted = str(int(counted) + 1)
        annotations = obj["metadata"].get("annotations") or {}
        obj["metadata"]["annotations"] = {**annotations, _TEMPLATE_GENERATION: counted}

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        keep_labels(obj, old)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        return workload_causes(spec, noun="daemonset") + _strategy_causes(spec["updateStrategy"])

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return immutable_selector_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        status = obj.get("status") or {}
        causes = [cause for name in _ALL_COUNTS for cause in at_least(f"status.{name}", status.get(name))]
        return causes + collision_causes(obj, old)

    def warnings(self, obj: Object) -> list[str]:
        return template_warnings("spec.template", obj["spec"]["template"])

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return changed_warnings(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        template = spec.get("template") or {}
        node_selector = (template.get("spec") or {}).get("nodeSelector")
        return [
            meta.name(obj),
            replicas_of(obj, "desiredNumberScheduled"),
            replicas_of(obj, "currentNumberScheduled"),
            replicas_of(obj, "numberReady"),
            replicas_of(obj, "updatedNumberScheduled"),
            replicas_of(obj, "numberAvailable"),
            selector_text(node_selector) or "<none>",
            object_age(obj, now),
            *wide_cells(template, spec.get("selector")),
        ]


def _strategy_causes(strategy: Object) -> list[Cause]:
    kinds = ("RollingUpdate", "OnDelete")
    causes = [] if strategy.get("type") in kinds else [unsupported("spec.updateStrategy", strategy, kinds)]
    if (rolling := strategy.get("rollingUpdate")) is None:
        return causes
    field = "spec.updateStrategy.rollingUpdate"
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes += bound_causes(f"{field}.maxUnavailable", unavailable, limited=True)
    causes += bound_causes(f"{field}.maxSurge", surge, limited=True)
    if is_zero(unavailable) and is_zero(surge):
        why = "cannot be 0 when maxSurge is 0"
        causes.append(required(f"{field}.maxUnavailable", why))
    elif not is_zero(unavailable) and not is_zero(surge):
        why = "may not be set when maxUnavailable is non-zero"
        causes.append(invalid(f"{field}.maxSurge", surge, why))
    return causes
