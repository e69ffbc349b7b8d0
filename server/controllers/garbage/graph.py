"""The graph of owners and dependents, kept by what informers tell, and who is to be looked at for a change.

It asks nobody and changes nothing: `collector` and `orphaning` do. Everything happens in one turn of the
event loop, so whoever looks always sees a whole graph.
"""

from collections.abc import Callable, Iterable, Sequence

from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.garbage.absent import AbsentOwners
from server.controllers.garbage.identity import Coordinates, Reference, identity_of, references_of
from server.controllers.garbage.node import Node, parted

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
"""The finalizers that the collector works off."""

Enqueue = Callable[[str], None]
"""Given a uid."""
Report = Callable[[Node, Coordinates], None]
"""A node refers to an owner, as it states it, that is in another namespace."""


class Graph:
    """`attempt` is called for objects that may have to go, `orphan` for those that let go of dependents."""

    def __init__(self, *, attempt: Enqueue, orphan: Enqueue, report: Report, absent: AbsentOwners) -> None:
        self._nodes: dict[str, Node] = {}
        self._attempt = attempt
        self._orphan = orphan
        self._report = report
        self._absent = absent

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def observe(self, resource: Resource, kind: str, obj: Object, old: Object | None) -> None:
        """An informer's handler: `kind` is ADDED, MODIFIED or DELETED."""
        node = self._nodes.get(meta.uid(obj))
        if kind == "DELETED":
            if node is not None:
                self._remove(node, identity_of(resource, obj))
            return
        if node is None:
            node = self._nodes[meta.uid(obj)] = Node(identity_of(resource, obj), resource=resource)
        elif node.resource != resource:
            self._recognize(node, resource, identity_of(resource, obj))
        self._take_references(node, references_of(obj))
        node.being_deleted = node.being_deleted or meta.is_terminating(obj)
        self._take_transition(node, obj, old)

    def forget(self, resource: Resource) -> None:
        """The resource is served no longer: whatever it had is gone."""
        for node in [each for each in self._nodes.values() if each.resource == resource]:
            self._remove(node, node.identity)

    def absent(self, identity: Coordinates) -> None:
        """The server has been asked, and there is nothing of that identity.

        Upstream's virtual deletion: what was seen under other coordinates stays.
        """
        node = self._nodes.get(identity.uid)
        if node is None:
            return
        agreeing, differing = parted(node.dependents, identity)
        if (node.virtual and differing) or (not node.virtual and node.identity != identity):
            if agreeing:
                self._absent.add(identity)
            self._attempt_all(agreeing)
            if node.virtual and node.identity == identity:
                self._try_another(node, differing)
        else:
            self._remove(node, identity)

    # Nodes.

    def _recognize(self, node: Node, resource: Resource, identity: Coordinates) -> None:
        """A virtual node is seen, or one is seen in another version."""
        if node.identity != identity:
            _, differing = parted(node.dependents, identity)
            for each in differing:
                self._check_namespace(each, identity)
            self._attempt_all(differing)
        node.identity, node.resource = identity, resource

    def _remove(self, node: Node, identity: Coordinates) -> None:
        del self._nodes[node.uid]
        self._leave(node, node.owners)
        if node.dependents:
            self._absent.add(identity)
        self._attempt_all(node.dependents)
        for reference in node.owners:
            owner = self._nodes.get(reference.uid)
            if owner is not None and owner.deleting_dependents:
                self._attempt(owner.uid)

    def _try_another(self, node: Node, differing: Iterable[Node]) -> None:
        """A supposed owner does not exist as first stated: whoever asked asks again, as others state it."""
        other = _alternative(differing, node.identity)
        if other is not None:
            node.identity = other

    # References.

    def _take_references(self, node: Node, references: Sequence[Reference]) -> None:
        if node.owners == references:
            return
        before = {each.uid: each for each in node.owners}
        after = {each.uid: each for each in references}
        for uid, reference in before.items():
            blocks_on = uid in after and after[uid].blocking
            if reference.blocking and not blocks_on and uid in self._nodes:
                self._attempt(uid)
        node.owners = references
        self._join(node, [each for uid, each in after.items() if uid not in before])
        self._leave(node, [each for uid, each in before.items() if uid not in after])

    def _leave(self, node: Node, references: Iterable[Reference]) -> None:
        for each in references:
            owner = self._nodes.get(each.uid)
            if owner is not None:
                owner.dependents.pop(node, None)

    def _join(self, node: Node, references: Iterable[Reference]) -> None:
        doubtful = False
        for each in references:
            owner = self._nodes.get(each.uid)
            if owner is None:
                owner = Node(each.at(node.identity.namespace))
                self._nodes[owner.uid] = owner
                self._attempt(owner.uid)
            elif not doubtful:
                doubtful = self._is_doubtful(node, each, owner)
            owner.dependents[node] = None
        if doubtful:
            self._attempt(node.uid)

    def _is_doubtful(self, node: Node, reference: Reference, owner: Node) -> bool:
        """Whether a reference disagrees with what is known, or believed, of its owner."""
        space, of_owner = node.identity.namespace, owner.identity.namespace
        if of_owner and of_owner != space:
            if not owner.virtual:
                self._check_namespace(node, owner.identity)
            return True
        if not reference.matches(owner.identity):
            return True
        return owner.virtual and of_owner != space  # a cluster-scoped dependent was the first to state it

    def _check_namespace(self, node: Node, owner: Coordinates) -> None:
        if not owner.namespace or owner.namespace == node.identity.namespace:
            return
        stated = next((each for each in node.owners if each.uid == owner.uid), None)
        if stated is not None:
            self._report(node, stated.at(node.identity.namespace))

    # Deletion.

    def _take_transition(self, node: Node, obj: Object, old: Object | None) -> None:
        if _begins(ORPHAN, obj, old):
            self._orphan(node.uid)
        elif _begins(FOREGROUND, obj, old):
            node.deleting_dependents = True
            self._attempt_all(node.dependents)
            self._attempt(node.uid)

    def _attempt_all(self, nodes: Iterable[Node]) -> None:
        for each in nodes:
            self._attempt(each.uid)


def is_held(obj: Object, finalizer: str) -> bool:
    return finalizer in (meta.metadata(obj).get("finalizers") or ())


def _begins(finalizer: str, obj: Object, old: Object | None) -> bool:
    """Whether the object has begun to be deleted with the finalizer."""
    if not meta.is_terminating(obj) or not is_held(obj, finalizer):
        return False
    return old is None or not meta.is_terminating(old) or not is_held(old, finalizer)


def _alternative(dependents: Iterable[Node], absent: Coordinates) -> Coordinates | None:
    """The next identity, in their order, that dependents state of an owner; after the last one the first."""
    stated = {
        _placed(reference.at(each.identity.namespace), absent)
        for each in dependents
        for reference in each.owners
        if reference.uid == absent.uid
    }
    others = sorted(stated - {absent})
    return next((each for each in others if each > absent), others[0] if others else None)


def _placed(stated: Coordinates, absent: Coordinates) -> Coordinates:
    """Nothing is in a namespace of a kind that is known to be cluster-scoped."""
    known = (stated.kind, stated.api_version) == (absent.kind, absent.api_version)
    return stated._replace(namespace="") if known and not absent.namespace else stated
