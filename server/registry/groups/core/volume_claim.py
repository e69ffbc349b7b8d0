"""PersistentVolumeClaims: defaults, sources under two names, columns."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, columns, object_age, wide
from server.registry.groups.core.claim_validation import (
    CLASS_ANNOTATION,
    claim_spec_causes,
    claim_status_causes,
    claim_update_causes,
)
from server.registry.groups.core.pod_warnings import fraction_warnings
from server.registry.strategy import Scope, Strategy

_SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_OLD_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
"""What dataSource may be; anything else is for dataSourceRef alone."""
_INSTEAD = 'deprecated since v1.8; use "storageClassName" attribute instead'
CLASS_WARNING = f"metadata.annotations[{CLASS_ANNOTATION}]: {_INSTEAD}"


def short_modes(modes: list[str] | None) -> str:
    given = modes or []
    return ",".join(short for mode, short in _SHORT_MODES.items() if mode in given)


def class_of(obj: Object, spec: Object) -> str:
    annotation = meta.annotations(obj).get(CLASS_ANNOTATION)
    return annotation or spec.get("storageClassName") or ""


class PersistentVolumeClaims(Strategy):
    returns_deleted = True
    changes_last = True
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
        _drop_foreign_source(obj["spec"])
        _old_sources_only(obj["spec"])
        _same_sources(obj["spec"])

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """Claims from before dataSourceRef have only dataSource; those may be filled in."""
        _same_sources(obj["spec"])

    def validate(self, obj: Object) -> list[Cause]:
        return claim_spec_causes("spec", obj["spec"])

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return claim_update_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return claim_status_causes(obj)

    def warnings(self, obj: Object) -> list[str]:
        requests = (obj["spec"].get("resources") or {}).get("requests") or {}
        found = [CLASS_WARNING] if CLASS_ANNOTATION in meta.annotations(obj) else []
        return [*found, *fraction_warnings("spec.resources.requests[storage]", requests.get("storage"))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        phase = "Terminating" if meta.is_terminating(obj) else status.get("phase", "")
        bound = bool(spec.get("volumeName"))
        return [
            meta.name(obj),
            phase,
            spec.get("volumeName", ""),
            (status.get("capacity") or {}).get("storage", "0") if bound else "",
            short_modes(status.get("accessModes")) if bound else "",
            class_of(obj, spec),
            spec.get("volumeAttributesClassName") or "<unset>",
            object_age(obj, now),
            spec.get("volumeMode") or "<unset>",
        ]


def _drop_foreign_source(spec: Object) -> None:
    """Sources in other namespaces are a feature that is off."""
    if (spec.get("dataSourceRef") or {}).get("namespace"):
        spec.pop("dataSourceRef")


def _old_sources_only(spec: Object) -> None:
    source = spec.get("dataSource")
    if source and (source.get("apiGroup") or "", source.get("kind")) not in _OLD_SOURCES:
        spec.pop("dataSource")


def _same_sources(spec: Object) -> None:
    """dataSource and dataSourceRef are two names of one thing."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = dict(reference)
