"""PersistentVolumeClaimResize: a claim grows only when it is bound and its class allows it."""

from kubeling.objects import quantity
from kubeling.objects.errors import forbidden
from kubeling.objects.meta import Object
from server.admission.chain import Objects, Plugin
from server.registry.admission import Attributes
from server.registry.kind import Kind

_CLASSES = "storageclasses.storage.k8s.io"
_NOT_BOUND = "Only bound persistent volume claims can be expanded"
_NOT_ALLOWED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must"
    " support resize"
)


class PersistentVolumeClaimResize(Plugin):
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return operation == "UPDATE" and not subresource and str(kind.resource) == "persistentvolumeclaims"

    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: the claim may not grow.
        """
        new, old = attributes.obj, attributes.old
        if new is None or old is None or _size(new) <= _size(old):
            return
        why = ""
        if (old.get("status") or {}).get("phase") != "Bound":
            why = _NOT_BOUND
        elif not self._may_grow(new, old):
            why = _NOT_ALLOWED
        if why:
            raise forbidden(attributes.kind.resource, attributes.name, why)

    def _may_grow(self, new: Object, old: Object) -> bool:
        name = new["spec"].get("storageClassName")
        if not name or name != old["spec"].get("storageClassName"):
            return False
        record = self._objects.get(_CLASSES, "", name)
        return record is not None and bool(record.obj.get("allowVolumeExpansion"))


def _size(claim: Object) -> int:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return quantity.value(requests.get("storage", "0"))
