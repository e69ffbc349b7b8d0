"""What volumes and claims on them say, and which volume does for which claim: to bind, and to place pods."""

from decimal import Decimal

from kubeling.objects import meta, quantity
from kubeling.objects.meta import Object

CLASS = "volume.beta.kubernetes.io/storage-class"
"""The older way to name the class of a claim or a volume; it wins."""
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


def class_of(obj: Object) -> str:
    """Of a claim or a volume; "" for none."""
    annotations = meta.annotations(obj)
    return str(annotations[CLASS] if CLASS in annotations else obj["spec"].get("storageClassName") or "")


def is_for(volume: Object, claim: Object) -> bool:
    """Whether the volume is bound to, or reserved for, this claim."""
    reference = volume["spec"].get("claimRef") or {}
    same = (reference.get("namespace"), reference.get("name")) == (meta.namespace(claim), meta.name(claim))
    return same and reference.get("uid") in (None, "", meta.uid(claim))


def suffices(volume: Object, claim: Object) -> bool:
    """Whether the claim can do with what the volume is, whoever has it."""
    return (
        access_modes(volume) >= access_modes(claim)
        and capacity(volume) >= requested(claim)
        and not modes_differ(volume, claim)
        and attributes_class(volume) == attributes_class(claim)
        and not meta.is_terminating(volume)
    )


def modes_differ(volume: Object, claim: Object) -> bool:
    kinds = (each["spec"].get("volumeMode") or "Filesystem" for each in (volume, claim))
    return len(set(kinds)) > 1


def access_modes(obj: Object) -> frozenset[str]:
    return frozenset(obj["spec"].get("accessModes") or ())


def attributes_class(obj: Object) -> str:
    return str(obj["spec"].get("volumeAttributesClassName") or "")


def capacity(volume: Object) -> Decimal:
    """Bytes."""
    return quantity.parse((volume["spec"].get("capacity") or {}).get("storage") or "0")


def requested(claim: Object) -> Decimal:
    """Bytes."""
    return quantity.parse(
        ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage") or "0"
    )


def reference_to(claim: Object) -> Object:
    """As a volume's claimRef has it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": meta.namespace(claim),
        "name": meta.name(claim),
        "uid": meta.uid(claim),
        "resourceVersion": meta.resource_version(claim),
    }
