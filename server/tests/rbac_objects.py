"""RBAC objects by few words, and a store of them."""

from collections.abc import Sequence
from typing import Any

import orjson

from server.auth.policy.rule_text import rules
from server.storage.record import Record

GROUP = "rbac.authorization.k8s.io"


class Stored:
    """A store in memory: lists are the same objects as long as nothing is written to their resource."""

    def __init__(self) -> None:
        self.revision = 0
        self._records: dict[tuple[str, str, str], Record] = {}
        self._lists: dict[tuple[str, str | None], tuple[Record, ...]] = {}

    def put(self, resource: str, obj: dict[str, Any]) -> None:
        self.revision += 1
        metadata = obj["metadata"]
        key = (resource, metadata.get("namespace", ""), metadata["name"])
        self._records[key] = Record(*key, "uid", self.revision, 1, orjson.dumps(obj))
        self._lists.clear()

    def remove(self, resource: str, namespace: str, name: str) -> None:
        self.revision += 1
        del self._records[resource, namespace, name]
        self._lists.clear()

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        return self._records.get((resource, namespace, name))

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]:
        if (resource, namespace) not in self._lists:
            self._lists[resource, namespace] = tuple(
                record
                for (of, where, _), record in sorted(self._records.items())
                if of == resource and namespace in (None, where)
            )
        return self._lists[resource, namespace]

    def changes(self, resource: str, *, after: int) -> None:
        """It remembers none."""

    def role(self, name: str, *lines: str, namespace: str = "") -> None:
        plural = "roles" if namespace else "clusterroles"
        metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
        self.put(f"{plural}.{GROUP}", {"metadata": metadata, "rules": rules(lines)})

    def bind(
        self, name: str, role: str, *subjects: str, namespace: str = "", kind: str = "ClusterRole"
    ) -> None:
        """Subjects are written `User bob`, `Group team` or `ServiceAccount ns/name`."""
        plural = "rolebindings" if namespace else "clusterrolebindings"
        metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
        reference = {"apiGroup": GROUP, "kind": kind, "name": role}
        listed = [_subject(each) for each in subjects]
        self.put(f"{plural}.{GROUP}", {"metadata": metadata, "roleRef": reference, "subjects": listed})


def _subject(text: str) -> dict[str, str]:
    kind, _, name = text.partition(" ")
    if kind != "ServiceAccount":
        return {"apiGroup": GROUP, "kind": kind, "name": name}
    namespace, slash, account = name.rpartition("/")
    return {"kind": kind, "name": account} | ({"namespace": namespace} if slash else {})
