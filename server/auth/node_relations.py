"""Whether an object concerns a node: because a pod that is bound to the node refers to it.

    node <- pod <- secret, config map, claim, service account, resource claim
    node <- pod <- claim <- volume <- secret

No graph is kept. The pods of one namespace are looked through, as text first and parsed only where the names
of both the node and the object occur: the question comes when a pod starts, and the answer is never old.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import orjson

from kubeling.objects.meta import Object
from server.auth.pod_references import Reference, references, volume_secrets
from server.storage.record import Record


class Objects(Protocol):
    """The store, or a fake of it."""

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]: ...


class NodeRelations:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def concerns(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Whether the object, of one of the kinds that are drawn above, concerns the node."""
        if resource == "persistentvolumes":
            record = self._objects.get(resource, "", name)
            return record is not None and self._claimed(node, record.copy())
        if self._referred(node, namespace, Reference(resource, name)):
            return True
        return resource == "secrets" and self._volume_secret(node, namespace, name)

    def runs(self, node: str, namespace: str, name: str) -> bool:
        """Whether that pod is bound to the node."""
        record = self._objects.get("pods", namespace, name)
        return record is not None and record.copy().get("spec", {}).get("nodeName") == node

    def spec_names(self, node: str, resource: str, name: str) -> bool:
        """Whether that cluster-scoped object has the node as its spec.nodeName."""
        record = self._objects.get(resource, "", name)
        return record is not None and record.copy().get("spec", {}).get("nodeName") == node

    def _referred(self, node: str, namespace: str, reference: Reference) -> bool:
        for pod in self._mentioning(node, "pods", namespace, reference):
            if pod.get("spec", {}).get("nodeName") == node and reference in references(pod):
                return True
        return False

    def _mentioning(self, node: str, resource: str, namespace: str, reference: Reference) -> Iterator[Object]:
        quoted, wanted = orjson.dumps(node), reference.name.encode()
        exact = reference.resource != "persistentvolumeclaims"  # an ephemeral volume's is named after the pod
        for record in self._objects.list(resource, namespace):
            if quoted in record.body and (not exact or wanted in record.body):
                yield record.copy()

    def _claimed(self, node: str, volume: Object) -> bool:
        claim = (volume.get("spec") or {}).get("claimRef") or {}
        if not claim.get("name"):
            return False
        reference = Reference("persistentvolumeclaims", claim["name"])
        return self._referred(node, claim.get("namespace", ""), reference)

    def _volume_secret(self, node: str, namespace: str, name: str) -> bool:
        wanted = name.encode()
        for record in self._objects.list("persistentvolumes"):
            if wanted in record.body:
                volume = record.copy()
                if (namespace, name) in volume_secrets(volume) and self._claimed(node, volume):
                    return True
        return False
