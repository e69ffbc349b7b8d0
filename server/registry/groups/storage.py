"""The kinds of storage.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, one_of, required
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "storage.k8s.io"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_FIXED = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")


class StorageClasses(Strategy):
    returns_deleted = True
    columns = columns(
        "Provisioner", "ReclaimPolicy", "VolumeBindingMode", Column("AllowVolumeExpansion", "boolean"), AGE
    )

    def default(self, obj: Object) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def validate(self, obj: Object) -> list[Cause]:
        causes = [] if obj.get("provisioner") else [required("provisioner")]
        causes += one_of("reclaimPolicy", obj["reclaimPolicy"], ("Delete", "Retain"))
        modes = ("Immediate", "WaitForFirstConsumer")
        return causes + one_of("volumeBindingMode", obj["volumeBindingMode"], modes)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        why = "updates to {} are forbidden."
        return [
            forbidden(name, why.format(name))
            for name in _FIXED
            if (obj.get(name) or None) != (old.get(name) or None)
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        name = meta.name(obj)
        default = meta.annotations(obj).get(_DEFAULT_CLASS) == "true"
        return [
            f"{name} (default)" if default else name,
            obj.get("provisioner", ""),
            obj.get("reclaimPolicy", "Delete"),
            obj.get("volumeBindingMode", "Immediate"),
            bool(obj.get("allowVolumeExpansion")),
            object_age(obj, now),
        ]


class Drivers(Strategy):
    has_generation = True
    returns_deleted = True
    unconditional_update = False
    columns = columns(
        Column("AttachRequired", "boolean"),
        Column("PodInfoOnMount", "boolean"),
        Column("StorageCapacity", "boolean"),
        "TokenRequests",
        Column("RequiresRepublish", "boolean"),
        "Modes",
        AGE,
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("attachRequired", True)
        spec.setdefault("podInfoOnMount", False)
        spec.setdefault("storageCapacity", False)
        spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
        spec.setdefault("volumeLifecycleModes", ["Persistent"])
        spec.setdefault("requiresRepublish", False)
        spec.setdefault("seLinuxMount", False)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        requests = [each.get("audience", "") for each in spec.get("tokenRequests") or ()]
        return [
            meta.name(obj),
            spec.get("attachRequired", True),
            bool(spec.get("podInfoOnMount")),
            bool(spec.get("storageCapacity")),
            ",".join(requests) or "<unset>",
            bool(spec.get("requiresRepublish")),
            ",".join(spec.get("volumeLifecycleModes") or []) or "<none>",
            object_age(obj, now),
        ]


class DriverNodes(Strategy):
    unconditional_update = False
    columns = columns(Column("Drivers", "integer"), AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        drivers = (obj.get("spec") or {}).get("drivers") or []
        return [meta.name(obj), len(drivers), object_age(obj, now)]


class Capacities(Strategy):
    unconditional_update = False
    columns = columns("StorageClassName", "Capacity", AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        capacity = obj.get("capacity") or "<unset>"
        return [meta.name(obj), obj.get("storageClassName", ""), capacity, object_age(obj, now)]


class Attachments(Strategy):
    returns_deleted = True
    unconditional_update = False
    columns = columns("Attacher", "PV", "Node", Column("Attached", "boolean"), AGE)

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


class AttributesClasses(Strategy):
    returns_deleted = True
    columns = columns("DriverName", AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), obj.get("driverName", ""), object_age(obj, now)]


def _cluster_wide(
    kind: str, plural: str, strategy: Strategy, *short_names: str, has_status: bool = False
) -> Kind:
    return Kind(
        _GROUP,
        kind,
        plural,
        strategy,
        namespaced=False,
        short_names=short_names,
        subresources=status(kind) if has_status else {},
    )


KINDS = (
    _cluster_wide("CSIDriver", "csidrivers", Drivers()),
    _cluster_wide("CSINode", "csinodes", DriverNodes(), has_status=True),
    Kind(_GROUP, "CSIStorageCapacity", "csistoragecapacities", Capacities()),
    _cluster_wide("StorageClass", "storageclasses", StorageClasses(), "sc"),
    _cluster_wide("VolumeAttachment", "volumeattachments", Attachments(), has_status=True),
    _cluster_wide("VolumeAttributesClass", "volumeattributesclasses", AttributesClasses(), "vac"),
)
