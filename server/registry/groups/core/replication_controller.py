"""ReplicationControllers and PodTemplates."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, required
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_validation import template_causes
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.groups.workload import (
    WIDE_COLUMNS,
    changed_warnings,
    pod_name_warnings,
    replicas_of,
    running_template_causes,
    status_count_causes,
    wide_cells,
)
from server.registry.strategy import Scope, Strategy


class ReplicationControllers(Strategy):
    has_generation = True
    orphans_by_default = True
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
        labels = (spec["template"]["metadata"]).get("labels")
        if labels:
            spec.setdefault("selector", dict(labels))
            own = obj.setdefault("metadata", {})
            own["labels"] = own.get("labels") or dict(labels)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"replicas": 0}

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        selector = spec.get("selector")
        causes = at_least("spec.minReadySeconds", spec.get("minReadySeconds"))
        causes += at_least("spec.replicas", spec["replicas"])
        if not selector:
            return [*causes, required("spec.selector"), *template_causes("spec.template", spec["template"])]
        labelled = {**spec, "selector": {"matchLabels": selector}}
        return causes + running_template_causes(labelled, noun="ReplicationController")

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


class PodTemplates(Strategy):
    create_on_update = True
    returns_deleted = True
    has_generation = True
    columns = columns("Containers", "Images", "Pod Labels")

    def default(self, obj: Object) -> None:
        default_template(obj.setdefault("template", {}))

    def validate(self, obj: Object) -> list[Cause]:
        return template_causes("template", obj["template"])

    def warnings(self, obj: Object) -> list[str]:
        return template_warnings("template", obj["template"])

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        template = obj.get("template") or {}
        labels = (template.get("metadata") or {}).get("labels")
        return [meta.name(obj), *wide_cells(template, labels)]
