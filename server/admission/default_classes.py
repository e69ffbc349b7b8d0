"""DefaultStorageClass and DefaultIngressClass: what names no class gets the cluster's default one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.volume_claims import CLASS
from server.admission.chain import Listed, Plugin
from server.registry.admission import Attributes
from server.registry.groups.networking.ingress import CLASS_ANNOTATION
from server.registry.groups.storage.classes import is_default
from server.registry.kind import Kind

_STORAGE_CLASSES, _INGRESS_CLASSES = "storageclasses.storage.k8s.io", "ingressclasses.networking.k8s.io"
_DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"


class DefaultStorageClass(Plugin):
    def __init__(self, objects: Listed) -> None:
        self._objects = objects

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return operation == "CREATE" and not subresource and str(kind.resource) == "persistentvolumeclaims"

    def mutate(self, attributes: Attributes) -> None:
        claim = attributes.obj
        if claim is None:
            return
        spec = claim.setdefault("spec", {})
        if spec.get("storageClassName") is not None or CLASS in meta.annotations(claim):
            return
        found = [each.obj for each in self._objects.list(_STORAGE_CLASSES) if is_default(each.obj)]
        if found:
            spec["storageClassName"] = _newest(found)


class DefaultIngressClass(Plugin):
    def __init__(self, objects: Listed) -> None:
        self._objects = objects

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return (
            operation == "CREATE" and not subresource and str(kind.resource) == "ingresses.networking.k8s.io"
        )

    def mutate(self, attributes: Attributes) -> None:
        ingress = attributes.obj
        if ingress is None:
            return
        spec = ingress.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or CLASS_ANNOTATION in meta.annotations(ingress):
            return
        found = [
            each.obj
            for each in self._objects.list(_INGRESS_CLASSES)
            if meta.annotations(each.obj).get(_DEFAULT_INGRESS) == "true"
        ]
        if found:
            spec["ingressClassName"] = _newest(found)


def _newest(classes: Sequence[Mapping[str, Any]]) -> str:
    """The name of the class that was made last; of several, the first by name."""
    return meta.name(min(classes, key=lambda each: (-_created(each).timestamp(), meta.name(each))))


def _created(obj: Mapping[str, Any]) -> datetime:
    text = meta.metadata(obj).get("creationTimestamp")
    return meta.parse_timestamp(text) if text else datetime.fromtimestamp(0, UTC)
