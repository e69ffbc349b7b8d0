"""Namespaces: a life of two phases, and a finalizer in the spec that its controller takes away."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, qualified_name_errors
from server.registry.causes import invalid, invalids
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.strategy import Scope, Strategy

FINALIZER = "kubernetes"
_NAME_LABEL = "kubernetes.io/metadata.name"
_STANDARD = (FINALIZER, "orphan", "foregroundDeletion")


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

    def validate(self, obj: Object) -> list[Cause]:
        finalizers = (obj.get("spec") or {}).get("finalizers") or []
        return [cause for each in finalizers for cause in _finalizer_causes("spec.finalizers", each)]

    def validate_subresource_update(self, subresource: str, obj: Object, old: Object) -> list[Cause]:
        if subresource == "finalize":
            finalizers = (obj.get("spec") or {}).get("finalizers") or []
            return [
                cause
                for position, each in enumerate(finalizers)
                for cause in _finalizer_causes(f"spec.finalizers[{position}]", each)
            ]
        phase = (obj.get("status") or {}).get("phase", "")
        if meta.is_terminating(obj) and phase != "Terminating":
            why = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            return [invalid("status.Phase", phase, why)]
        if not meta.is_terminating(obj) and phase != "Active":
            why = "may only be 'Active' if `deletionTimestamp` is empty"
            return [invalid("status.Phase", phase, why)]
        return []

    def prepare_for_delete(self, scope: Scope, obj: Object) -> None:
        obj["metadata"].pop("deletionGracePeriodSeconds", None)
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def must_stay(self, obj: Object) -> bool:
        return bool((obj.get("spec") or {}).get("finalizers"))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), (obj.get("status") or {}).get("phase", ""), object_age(obj, now)]


def _finalizer_causes(field: str, name: str) -> list[Cause]:
    causes = invalids(field, name, qualified_name_errors(name))
    if "/" not in name and name not in _STANDARD:
        why = "name is neither a standard finalizer name nor is it fully qualified"
        causes.append(invalid(field, name, why))
    return causes
