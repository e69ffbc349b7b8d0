"""Who an object is to its dependents: its coordinates, as owner references state them, and its namespace."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kubeling.objects.meta import Object

Reference = Mapping[str, Any]


class Coordinates(NamedTuple):
    """What an owner reference says of an owner. In upstream's order of significance."""

    kind: str
    api_version: str
    namespace: str
    """That of the owner, "" when it is cluster-scoped; of a supposed owner, that of its dependent."""
    name: str
    uid: str

    def __str__(self) -> str:
        return (
            f"[{self.api_version}/{self.kind}, namespace: {self.namespace},"
            f" name: {self.name}, uid: {self.uid}]"
        )


def coordinates_of(reference: Reference, namespace: str) -> Coordinates:
    return Coordinates(
        str(reference.get("kind") or ""),
        str(reference.get("apiVersion") or ""),
        namespace,
        str(reference.get("name") or ""),
        uid_of(reference),
    )


def uid_of(reference: Reference) -> str:
    return str(reference.get("uid") or "")


def is_blocking(reference: Reference) -> bool:
    return bool(reference.get("blockOwnerDeletion"))


def matches(reference: Reference, owner: Coordinates) -> bool:
    """Whether the reference states the owner's coordinates, wherever it is."""
    return coordinates_of(reference, owner.namespace) == owner


def references_of(obj: Object) -> list[Object]:
    found: list[Object] = (obj.get("metadata") or {}).get("ownerReferences") or []
    return found
