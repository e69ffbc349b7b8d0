"""Whether an object concerns a node: because a pod that is bound to the node refers to it.

    node <- pod <- secret, config map, claim, service account, resource claim
    node <- pod <- claim <- volume <- secret

No graph is kept, but an index of the pods by their node; what a pod refers to is remembered with its record.
"""

import re
from collections.abc import Iterable
from typing import Protocol

import orjson

from kubeling.objects.meta import Object
from server.auth import mentions
from server.auth.mentions import Mentions
from server.auth.pod_references import Reference, references, volume_secrets
from server.storage.record import Record

_REFERENCES = "node-references"
_NODE_NAME = re.compile(rb'"nodeName":("(?:[^"\\]|\\.)*")')
_SECRET = b"ecret"


class Objects(mentions.Objects, Protocol):
    """The store, or a fake of it."""

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...


class NodeRelations:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._pods = Mentions(objects, "pods", _NODE_NAME.findall)
        self._volumes = Mentions(objects, "persistentvolumes", _with_secrets)

    def concerns(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Whether the object, of one of the kinds that are drawn above, concerns the node."""
        if resource == "persistentvolumes":
            record = self._objects.get(resource, "", name)
            return record is not None and self._claimed(node, record.parsed())
        if self._referred(node, namespace, Reference(resource, name)):
            return True
        return resource == "secrets" and self._volume_secret(node, namespace, name)

    def runs(self, node: str, namespace: str, name: str) -> bool:
        """Whether that pod is bound to the node."""
        record = self._objects.get("pods", namespace, name)
        return record is not None and record.parsed().get("spec", {}).get("nodeName") == node

    def spec_names(self, node: str, resource: str, name: str) -> bool:
        """Whether that cluster-scoped object has the node as its spec.nodeName."""
        record = self._objects.get(resource, "", name)
        return record is not None and record.parsed().get("spec", {}).get("nodeName") == node

    def _referred(self, node: str, namespace: str, reference: Reference) -> bool:
        for record in self._pods.of(orjson.dumps(node)):
            if record.namespace == namespace and reference in _references(record, node):
                return True
        return False

    def _claimed(self, node: str, volume: Object) -> bool:
        claim = (volume.get("spec") or {}).get("claimRef") or {}
        if not claim.get("name"):
            return False
        reference = Reference("persistentvolumeclaims", claim["name"])
        return self._referred(node, claim.get("namespace", ""), reference)

    def _volume_secret(self, node: str, namespace: str, name: str) -> bool:
        wanted = name.encode()
        for record in self._volumes.of(_SECRET):
            if wanted in record.body:
                volume = record.parsed()
                if (namespace, name) in volume_secrets(volume) and self._claimed(node, volume):
                    return True
        return False


def _references(record: Record, node: str) -> frozenset[Reference]:
    """What the pod refers to; nothing unless it is bound to the node."""
    found: tuple[str, frozenset[Reference]] | None = record.cache.get(_REFERENCES)
    if found is None:
        pod = record.parsed()
        where = str((pod.get("spec") or {}).get("nodeName") or "")
        found = record.cache[_REFERENCES] = where, frozenset(references(pod))
    return found[1] if found[0] == node else frozenset()


def _with_secrets(volume: bytes) -> Iterable[bytes]:
    """Few volumes refer to secrets: those that may are found by one name."""
    return (_SECRET,) if _SECRET in volume else ()
