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
from server.registry.groups.workload import WIDE_COLUMNS, replicas_of, running_template_causes, wide_cells
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
        causes = at_least("spec.replicas", spec["replicas"])
        if not selector:
            return [*causes, required("spec.selector"), *template_causes("spec.template", spec["template"])]
        labelled = {**spec, "selector": {"matchLabels": selector}}
        return causes + running_template_causes(labelled, noun="ReplicationController")

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
    columns = columns("Containers", "Images", "Pod Labels", AGE)

    def default(self, obj: Object) -> None:
        default_template(obj.setdefault("template", {}))

    def validate(self, obj: Object) -> list[Cause]:
        return template_causes("template", obj["template"])

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        template = obj.get("template") or {}
        labels = (template.get("metadata") or {}).get("labels")
        return [meta.name(obj), *wide_cells(template, labels), object_age(obj, now)]
