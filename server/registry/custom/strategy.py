"""The behaviour of a custom kind in one of its versions, from that version's schema.

Objects are in this version here; what is stored may be in another (`form`).
"""

from datetime import datetime
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.custom.columns import CustomColumns
from server.registry.custom.definition import FINALIZER, Version
from server.registry.custom.scale import scale_check
from server.registry.strategy import Scope, Strategy
from server.schema.custom import CustomSchema

_UNWARNED = ("orphan", "foregroundDeletion", "kubernetes", FINALIZER)
"""Finalizers of Kubernetes' own."""


class CustomStrategy(Strategy):
    has_generation = True
    unconditional_update = False
    reset_by_status = ("metadata", "spec")

    def __init__(self, version: Version, schema: CustomSchema) -> None:
        self._schema = schema
        self._printer = CustomColumns(version.columns)
        self._has_status = version.status
        self._scale = scale_check(version.scale)
        self.columns = self._printer.columns
        self.selectable = tuple(version.selectable)

    def default(self, obj: Object) -> None:
        self._schema.default(obj)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        if self._has_status:
            obj.pop("status", None)

    def narrowed(self, scope: Scope, subresource: str, obj: Object, old: Object) -> Object:
        if subresource == "status":
            return _with_status({**old, "metadata": _own_metadata(obj, old)}, obj)
        return _with_status(obj, old) if self._has_status else obj

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """Without a status subresource the status is a part of the object like any other."""
        if not self._has_status and obj.get("status") != old.get("status"):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def validate(self, obj: Object) -> list[Cause]:
        """Nothing: the schema is asked once, with the stored object."""
        return []

    def validate_create(self, obj: Object) -> list[Cause]:
        return self._schema.validate(obj, between=self._scale)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return self._schema.validate(obj, old, between=self._scale)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return self._schema.validate(obj, old, between=self._scale)

    def warnings(self, obj: Object) -> list[str]:
        return finalizer_warnings(obj)

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return finalizer_warnings(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return self._printer.cells(obj, now)


def finalizer_warnings(obj: Object, old: Object | None = None) -> list[str]:
    """Of finalizers that are new and belong to no domain."""
    known = ((old or {}).get("metadata") or {}).get("finalizers") or ()
    return [
        f'metadata.finalizers: "{each}": prefer a domain-qualified finalizer name including a path (/)'
        " to avoid accidental conflicts with other finalizer writers"
        for each in sorted(obj["metadata"].get("finalizers") or ())
        if "/" not in each and each not in known and each not in _UNWARNED
    ]


def _with_status(obj: Object, source: Object) -> Object:
    """The object with the status of another one."""
    if "status" in source:
        obj["status"] = source["status"]
    else:
        obj.pop("status", None)
    return obj


def _own_metadata(obj: Object, old: Object) -> Object:
    """A write of the status leaves the metadata alone, but for the record of who owns what."""
    own: Object = dict(old["metadata"])
    if "managedFields" in (obj.get("metadata") or {}):
        own["managedFields"] = obj["metadata"]["managedFields"]
    return own
