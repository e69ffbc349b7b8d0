"""Decides about one object at a time: it goes when no owner is left, and stays as long as one is solid.

An owner is *solid* when it exists, *dangling* when it does not, and *waiting* when it is being deleted in the
foreground. The key is the object's uid.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kubeling.client import DONE, Result, TemporaryError
from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.garbage.absent import AbsentOwners
from server.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, is_held
from server.controllers.garbage.identity import Reference, references_of
from server.controllers.garbage.kinds import Kinds, UnknownKind
from server.controllers.garbage.node import Node
from server.controllers.garbage.objects import Objects

logger = logging.getLogger(__name__)


class NamespacedOwner(Exception):
    """A cluster-scoped object refers to an owner that is in a namespace: that never gets right."""


@dataclass(slots=True)
class Owners:
    solid: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


class Collector:
    def __init__(
        self,
        graph: Graph,
        kinds: Kinds,
        objects: Objects,
        absent: AbsentOwners,
        attempt: Callable[[str], None],
    ) -> None:
        self._graph = graph
        self._kinds = kinds
        self._objects = objects
        self._absent = absent
        self._attempt = attempt
        self._unresolved: set[str] = set()

    def try_unresolved(self) -> None:
        """Kinds have become known: look again at what waited for one."""
        waiting, self._unresolved = self._unresolved, set()
        for uid in waiting:
            self._attempt(uid)

    async def reconcile(self, uid: str) -> Result:
        node = self._graph.get(uid)
        if node is None or (node.being_deleted and not node.deleting_dependents):
            return DONE  # whoever is being deleted goes one day; then its dependents are looked at
        try:
            await self._decide(node)
        except NamespacedOwner as error:
            logger.info("%s is left alone: %s", node.identity, error)
            return DONE
        except UnknownKind:
            self._unresolved.add(uid)
            raise
        current = self._graph.get(uid)
        if current is not None and current.virtual:
            raise TemporaryError(f"{current.identity} has not been seen yet")
        return DONE

    async def _decide(self, node: Node) -> None:
        resource = self._resource(node)
        identity = node.identity
        space = identity.namespace if resource.namespaced else ""
        latest = await self._objects.find(resource, space, identity.name, identity.uid)
        if latest is None:
            self._graph.absent(identity)
        elif node.deleting_dependents:
            await self._wait_for_dependents(node, resource, latest)
        elif references := references_of(latest):
            await self._judge(node, resource, latest, references)

    def _resource(self, node: Node) -> Resource:
        if node.resource is not None:
            return node.resource
        resource = self._kinds.find(node.identity.api_version, node.identity.kind)
        if resource.namespaced and not node.identity.namespace:
            raise NamespacedOwner("a cluster-scoped object calls it its owner")
        return resource

    async def _wait_for_dependents(self, node: Node, resource: Resource, latest: Object) -> None:
        blocking = node.blocking_dependents()
        if not blocking:
            await self._objects.drop_finalizer(resource, latest, FOREGROUND)
        for each in blocking:
            if not each.deleting_dependents:
                self._attempt(each.uid)

    async def _judge(
        self, node: Node, resource: Resource, latest: Object, references: Sequence[Reference]
    ) -> None:
        owners = await self._classified(node, references)
        if owners.solid:
            if gone := owners.dangling + owners.waiting:
                await self._objects.drop_references(resource, latest, gone)
            return
        if owners.waiting and node.dependents:
            if any(each.deleting_dependents for each in node.dependents):
                latest = await self._objects.unblock(resource, latest)  # else a circle waits for itself
            policy = "Foreground"
        else:
            policy = _policy(latest)
        if not await self._objects.delete(resource, latest, policy):
            self._graph.absent(node.identity)

    async def _classified(self, node: Node, references: Sequence[Reference]) -> Owners:
        owners = Owners()
        for each in references:
            owner = await self._owner(node, each)
            if owner is None:
                owners.dangling.append(each.uid)
            elif meta.is_terminating(owner) and is_held(owner, FOREGROUND):
                owners.waiting.append(each.uid)
            else:
                owners.solid.append(each.uid)
        return owners

    async def _owner(self, node: Node, reference: Reference) -> Object | None:
        """The owner that is meant; None when there is none. A namespaced one is in the object's namespace.

        Raises:
            UnknownKind, NamespacedOwner
        """
        space = node.identity.namespace
        stated = reference.at(space)
        if stated in self._absent or stated._replace(namespace="") in self._absent:
            return None
        resource = self._kinds.find(stated.api_version, stated.kind)
        if resource.namespaced and not space:
            raise NamespacedOwner(f"its owner would have to be in a namespace: {stated}")
        stated = stated if resource.namespaced else stated._replace(namespace="")
        owner = await self._objects.find(resource, stated.namespace, stated.name, stated.uid)
        if owner is None:
            self._absent.add(stated)
        return owner


def _policy(obj: Object) -> str:
    """What the object's own finalizers say already is honoured."""
    if is_held(obj, ORPHAN):
        return "Orphan"
    return "Foreground" if is_held(obj, FOREGROUND) else "Background"
