"""Namespaces: a life of two phases, and a finalizer in the spec that its controller takes away."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.strategy import Scope, Strategy

FINALIZER = "kubernetes"
_NAME_LABEL = "kubernetes.io/metadata.name"


class Namespaces(Strategy):
    selectable = ("status.phase",)
    columns = columns(Column("Status", description="The status of the namespace"), AGE)

    def name_errors(self, name: str) -> list[str]:
        return label_errors(name)

    def default(self, obj: Object) -> None:
        own = obj.setdefault("metadata", {})
        if own.get("name"):
            own.setdefault("labels", {})[_NAME_LABEL] = own["name"]

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        self.default(obj)
        finalizers = obj.setdefault("spec", {}).setdefault("finalizers", [])
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        obj["status"] = {"phase": "Active"}

    def narrowed(self, scope: Scope, subresource: str, obj: Object, old: Object) -> Object:
        if subresource == "finalize":
            spec = {**(old.get("spec") or {}), **(obj.get("spec") or {})}
            if "finalizers" not in (obj.get("spec") or {}):
                spec.pop("finalizers", None)
            return {**old, "metadata": obj.get("metadata") or {}, "spec": spec}
        return super().narrowed(scope, subresource, obj, old)

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        obj["spec"] = old.get("spec") or {}

    def prepare_for_delete(self, scope: Scope, obj: Object) -> None:
        obj["metadata"].pop("deletionGracePeriodSeconds", None)
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def must_stay(self, obj: Object) -> bool:
        return bool((obj.get("spec") or {}).get("finalizers"))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), (obj.get("status") or {}).get("phase", ""), object_age(obj, now)]
