"""StorageObjectInUseProtection: claims, volumes and attribute classes stay while they are in use.

The finalizers are taken away by the controller of the same name.
"""

from collections.abc import Mapping

from server.admission.chain import Plugin
from server.registry.admission import Attributes
from server.registry.kind import Kind

FINALIZERS: Mapping[str, str] = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses.storage.k8s.io": "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection(Plugin):
    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return operation == "CREATE" and not subresource and str(kind.resource) in FINALIZERS

    def mutate(self, attributes: Attributes) -> None:
        if attributes.obj is None:
            return
        finalizer = FINALIZERS[str(attributes.kind.resource)]
        own = attributes.obj.setdefault("metadata", {})
        present = own.get("finalizers") or []
        if finalizer not in present:
            own["finalizers"] = [*present, finalizer]
