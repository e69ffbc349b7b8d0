"""Who an object is to its dependents: its coordinates, as owner references state them, and its namespace.

There are as many of these as there are objects: what they have in common they share.
"""

from sys import intern
from typing import NamedTuple

from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.meta import Object


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


class Reference(NamedTuple):
    """An owner as its dependent states it."""

    kind: str
    api_version: str
    name: str
    uid: str
    blocking: bool
    """The owner, deleted in the foreground, waits for the dependent."""

    def at(self, namespace: str) -> Coordinates:
        return Coordinates(self.kind, self.api_version, namespace, self.name, self.uid)

    def matches(self, owner: Coordinates) -> bool:
        """Whether it states the owner's coordinates, wherever that is."""
        return self.at(owner.namespace) == owner


def identity_of(resource: Resource, obj: Object) -> Coordinates:
    space = intern(meta.namespace(obj))
    return Coordinates(resource.kind, resource.api_version, space, meta.name(obj), meta.uid(obj))


def raw_references(obj: Object) -> list[Object]:
    """The owner references as they stand in the object."""
    found: list[Object] = (obj.get("metadata") or {}).get("ownerReferences") or []
    return found


def references_of(obj: Object) -> tuple[Reference, ...]:
    return tuple(_reference(each) for each in raw_references(obj))


def _reference(raw: Object) -> Reference:
    return Reference(
        kind=intern(str(raw.get("kind") or "")),
        api_version=intern(str(raw.get("apiVersion") or "")),
        name=intern(str(raw.get("name") or "")),
        uid=intern(str(raw.get("uid") or "")),
        blocking=bool(raw.get("blockOwnerDeletion")),
    )
