"""PersistentVolumes: defaults, the time of the last change of phase, columns."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, columns, object_age, wide
from server.registry.groups.core.claim_validation import CLASS_ANNOTATION
from server.registry.groups.core.persistent_volume_validation import volume_causes, volume_update_causes
from server.registry.groups.core.pod_defaults import default_volume
from server.registry.groups.core.pod_warnings import VOLUMES, node_term_warnings
from server.registry.groups.core.volume_claim import CLASS_WARNING, class_of, short_modes
from server.registry.strategy import Scope, Strategy

_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_RECYCLE = (
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended"
    " approach is to use dynamic provisioning."
)


class PersistentVolumes(Strategy):
    returns_deleted = True
    changes_last = True
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
        default_volume(spec)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": meta.timestamp(scope.now)}

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        status, before, when = (
            obj.setdefault("status", {}),
            old.get("status") or {},
            "lastPhaseTransitionTime",
        )
        if status.get("phase") == before.get("phase"):
            return
        if status.get(when) in (None, before.get(when)):
            status[when] = meta.timestamp(scope.now)

    def validate(self, obj: Object) -> list[Cause]:
        return volume_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return volume_update_causes(obj, old)

    def warnings(self, obj: Object) -> list[str]:
        spec, annotations = obj["spec"], meta.annotations(obj)
        found = [CLASS_WARNING] if CLASS_ANNOTATION in annotations else []
        if _MOUNT_OPTIONS in annotations:
            why = 'deprecated since v1.31; use "mountOptions" attribute instead'
            found.append(f"metadata.annotations[{_MOUNT_OPTIONS}]: {why}")
        if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
            found.append(_RECYCLE)
        terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
        for position, term in enumerate(terms):
            where = f"spec.nodeAffinity.required.nodeSelectorTerms[{position}]"
            found += node_term_warnings(where, term)
        return found + [f"spec.{source}: {why}" for source, why in VOLUMES.items() if source in spec]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        claim = spec.get("claimRef") or {}
        phase = "Terminating" if meta.is_terminating(obj) else status.get("phase", "")
        return [
            meta.name(obj),
            (spec.get("capacity") or {}).get("storage", "0"),
            short_modes(spec.get("accessModes")),
            spec.get("persistentVolumeReclaimPolicy", ""),
            phase,
            f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
            class_of(obj, spec),
            spec.get("volumeAttributesClassName") or "<unset>",
            status.get("reason", ""),
            object_age(obj, now),
            spec.get("volumeMode") or "<unset>",
        ]
