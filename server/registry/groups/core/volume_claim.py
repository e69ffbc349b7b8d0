"""PersistentVolumes and PersistentVolumeClaims: defaults and columns."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import AGE, columns, object_age, wide
from server.registry.strategy import Scope, Strategy

_SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _modes(modes: list[str] | None) -> str:
    given = modes or []
    return ",".join(short for mode, short in _SHORT_MODES.items() if mode in given)


def _class_of(obj: Object, spec: Object) -> str:
    annotation = meta.annotations(obj).get("volume.beta.kubernetes.io/storage-class")
    return annotation or spec.get("storageClassName") or ""


class PersistentVolumeClaims(Strategy):
    returns_deleted = True
    columns = columns(
        "Status",
        "Volume",
        "Capacity",
        "Access Modes",
        "StorageClass",
        "VolumeAttributesClass",
        AGE,
        wide("VolumeMode"),
    )

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"phase": "Pending"}

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        phase = "Terminating" if meta.is_terminating(obj) else status.get("phase", "")
        bound = bool(spec.get("volumeName"))
        return [
            meta.name(obj),
            phase,
            spec.get("volumeName", ""),
            (status.get("capacity") or {}).get("storage", "0") if bound else "",
            _modes(status.get("accessModes")) if bound else "",
            _class_of(obj, spec),
            spec.get("volumeAttributesClassName") or "<unset>",
            object_age(obj, now),
            spec.get("volumeMode") or "<unset>",
        ]


class PersistentVolumes(Strategy):
    returns_deleted = True
    columns = columns(
        "Capacity",
        "Access Modes",
        "Reclaim Policy",
        "Status",
        "Claim",
        "StorageClass",
        "VolumeAttributesClass",
        "Reason",
        AGE,
        wide("VolumeMode"),
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
        spec.setdefault("volumeMode", "Filesystem")
        if (path := spec.get("hostPath")) is not None:
            path.setdefault("type", "")

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"phase": "Pending"}

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        claim = spec.get("claimRef") or {}
        phase = "Terminating" if meta.is_terminating(obj) else status.get("phase", "")
        return [
            meta.name(obj),
            (spec.get("capacity") or {}).get("storage", "0"),
            _modes(spec.get("accessModes")),
            spec.get("persistentVolumeReclaimPolicy", ""),
            phase,
            f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
            _class_of(obj, spec),
            spec.get("volumeAttributesClassName") or "<unset>",
            status.get("reason", ""),
            object_age(obj, now),
            spec.get("volumeMode") or "<unset>",
        ]
