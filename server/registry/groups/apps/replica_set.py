"""ReplicaSets."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.apps.deployment import keep_labels
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.groups.workload import (
    WIDE_COLUMNS,
    changed_warnings,
    immutable_selector_causes,
    pod_name_warnings,
    replicas_of,
    status_count_causes,
    wide_cells,
    workload_causes,
)
from server.registry.strategy import Scope, Strategy


class ReplicaSets(Strategy):
    has_generation = True
    changes_last = True
    reset_by_status = ("spec", "metadata.labels")
    selectable = ("status.replicas",)
    columns = columns(
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        AGE,
        *WIDE_COLUMNS,
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("replicas", 1)
        default_template(spec.setdefault("template", {}))

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"replicas": 0}

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        keep_labels(obj, old)

    def validate(self, obj: Object) -> list[Cause]:
        return workload_causes(obj["spec"], noun="deployment")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return immutable_selector_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return status_count_causes(obj, "fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def warnings(self, obj: Object) -> list[str]:
        return pod_name_warnings(obj) + template_warnings("spec.template", obj["spec"]["template"])

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return changed_warnings(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            spec.get("replicas", 0),
            replicas_of(obj),
            replicas_of(obj, "readyReplicas"),
            object_age(obj, now),
            *wide_cells(spec.get("template") or {}, spec.get("selector")),
        ]
