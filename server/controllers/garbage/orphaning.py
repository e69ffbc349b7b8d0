"""Lets go of the dependents of an object that is deleted with the orphan finalizer, then of the object."""

import asyncio
from contextlib import suppress

from kubeling.client import DONE, Result
from kubeling.objects.errors import NotFound
from server.controllers.garbage.graph import ORPHAN, Graph
from server.controllers.garbage.node import Node
from server.controllers.garbage.objects import Objects

AT_ONCE = 100


class Orphaning:
    """The key is the uid of the object that goes."""

    def __init__(self, graph: Graph, objects: Objects) -> None:
        self._graph = graph
        self._objects = objects

    async def reconcile(self, uid: str) -> Result:
        node = self._graph.get(uid)
        if node is None or node.resource is None:
            return DONE
        dependents = list(node.dependents)
        for start in range(0, len(dependents), AT_ONCE):
            await asyncio.gather(*(self._let_go(each, uid) for each in dependents[start : start + AT_ONCE]))
        identity = node.identity
        latest = await self._objects.find(node.resource, identity.namespace, identity.name, uid)
        if latest is not None:
            await self._objects.drop_finalizer(node.resource, latest, ORPHAN)
        return DONE

    async def _let_go(self, dependent: Node, uid: str) -> None:
        identity, resource = dependent.identity, dependent.resource
        if resource is None:
            return
        latest = await self._objects.find(resource, identity.namespace, identity.name, identity.uid)
        if latest is not None:
            with suppress(NotFound):
                await self._objects.drop_references(resource, latest, [uid])
