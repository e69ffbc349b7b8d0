"""One object in the graph of owners and dependents."""

from collections.abc import Iterable, Sequence

from kubeling.client.resources import Resource
from server.controllers.garbage.identity import Coordinates, Reference


class Node:
    """Virtual as long as it is only known from its dependents: whether it exists has to be asked."""

    __slots__ = ("being_deleted", "deleting_dependents", "dependents", "identity", "owners", "resource")

    def __init__(
        self, identity: Coordinates, *, resource: Resource | None = None, owners: Sequence[Reference] = ()
    ) -> None:
        self.identity = identity
        self.resource = resource
        """Where it was seen; None while it is virtual."""
        self.owners = owners
        self.dependents: dict[Node, None] = {}
        self.being_deleted = False
        self.deleting_dependents = False
        """It is deleted in the foreground: it waits for its dependents."""

    @property
    def uid(self) -> str:
        return self.identity.uid

    @property
    def virtual(self) -> bool:
        return self.resource is None

    def blocking_dependents(self) -> list["Node"]:
        """The dependents whose references keep this object until they are gone; never itself."""
        return [each for each in self.dependents if each is not self and each.blocks(self.uid)]

    def blocks(self, uid: str) -> bool:
        return any(owner.uid == uid and owner.blocking for owner in self.owners)


def parted(dependents: Iterable[Node], owner: Coordinates) -> tuple[list[Node], list[Node]]:
    """Those that refer to the owner by just these coordinates, and those that do by others; some do both."""
    agreeing, differing = [], []
    for each in dependents:
        found = _agreements(each, owner)
        if True in found:
            agreeing.append(each)
        if False in found:
            differing.append(each)
    return agreeing, differing


def _agreements(dependent: Node, owner: Coordinates) -> set[bool]:
    if owner.namespace and owner.namespace != dependent.identity.namespace:
        return {False}
    return {each.matches(owner) for each in dependent.owners if each.uid == owner.uid}
