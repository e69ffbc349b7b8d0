"""VolumeAttachments."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.causes import forbidden, immutable, invalid, invalids, required, too_long
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.persistent_volume_validation import inline_causes
from server.registry.groups.storage.csi import driver_name_causes
from server.registry.strategy import Scope, Strategy

_ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_LONGEST_MESSAGE, _LARGEST_METADATA = 1024, 256 * 1024


class Attachments(Strategy):
    returns_deleted = True
    unconditional_update = False
    columns = columns(Column("Attacher", format="name"), "PV", "Node", Column("Attached", "boolean"), AGE)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"attached": False}

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        obj["status"].setdefault("attached", False)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        node = spec.get("nodeName") or ""
        causes = driver_name_causes("spec.attacher", spec.get("attacher") or "")
        causes += _source_causes(spec.get("source") or {})
        return causes + invalids("spec.nodeName", node, subdomain_errors(node))

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [immutable("spec", obj.get("spec"))]

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        state = obj.get("status") or {}
        causes: list[Cause] = []
        metadata = state.get("attachmentMetadata") or {}
        if (
            sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
            > _LARGEST_METADATA
        ):
            causes.append(too_long("status.attachmentMetadata", _LARGEST_METADATA))
        for name in ("attachError", "detachError"):
            causes += _error_causes(f"status.{name}", state.get(name) or {})
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, state = obj.get("spec") or {}, obj.get("status") or {}
        return [
            meta.name(obj),
            spec.get("attacher", ""),
            (spec.get("source") or {}).get("persistentVolumeName") or "",
            spec.get("nodeName", ""),
            bool(state.get("attached")),
            object_age(obj, now),
        ]


def _source_causes(source: Object) -> list[Cause]:
    field, inline, name = "spec.source", source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and name is None:
        return [required(field, _ONE)]
    if inline is not None and name is not None:
        return [forbidden(field, _ONE)]
    if inline is not None:
        return inline_causes(f"{field}.inlineVolumeSpec", inline)
    where = f"{field}.persistentVolumeName"
    if not name:
        return [required(where, "must specify non empty persistentVolumeName")]
    return invalids(where, name, subdomain_errors(name))


def _error_causes(field: str, error: Object) -> list[Cause]:
    causes: list[Cause] = []
    if len(error.get("message") or "") > _LONGEST_MESSAGE:
        causes.append(too_long(f"{field}.message", _LARGEST_METADATA))
    code = error.get("errorCode")
    if code is not None and code < 0:
        causes.append(invalid(f"{field}.errorCode", code, "must be between 0 and 2147483647, inclusive"))
    return causes
