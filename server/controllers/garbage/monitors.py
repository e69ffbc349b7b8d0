"""Which resources the collector watches: all that can be listed, watched and deleted, but for Events.

Resources come and go with CustomResourceDefinitions and with the servers that APIServices name; both are
followed, and discovery is asked after each change.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from kubeling.client import DONE, Client, Informer, Result, TemporaryError
from kubeling.client.protocol import Discovery, Handler
from kubeling.client.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.garbage.graph import Graph
from server.controllers.garbage.kinds import Kinds

logger = logging.getLogger(__name__)

API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
NEEDED_VERBS = frozenset({"delete", "list", "watch"})
IGNORED = {("", "events"), ("events.k8s.io", "events")}


class Monitors:
    """`learned` is called when kinds have become known that were not."""

    def __init__(self, client: Client, graph: Graph, kinds: Kinds, learned: Callable[[], None]) -> None:
        self.definitions = client.informer(CUSTOM_RESOURCE_DEFINITIONS)
        self.api_services = client.informer(API_SERVICES)
        self._client = client
        self._graph = graph
        self._kinds = kinds
        self._learned = learned
        self._watched: dict[Resource, tuple[Informer, Handler]] = {}
        self._gone: set[str] = set()
        """Definitions that are gone, though discovery may show their resources for another moment."""
        self.discovered = asyncio.Event()
        """Discovery has been asked for the first time."""
        self.definitions.add_handler(self._definition_changed)

    def informer(self, resource: Resource) -> Informer | None:
        """The informer of a resource that is watched."""
        watched = self._watched.get(resource)
        return watched[0] if watched else None

    async def reconcile(self, _: str) -> Result:
        """Watch what is served now, and nothing else.

        Raises:
            TemporaryError: discovery lags behind the definitions.
        """
        found = await self._client.discovery()
        wanted = [each for each in found.preferred if self._is_watched(each)]
        for resource in wanted:
            if resource not in self._watched:
                await self._begin(resource)
        for resource in [each for each in self._watched if each not in wanted]:
            if f"{resource.group}/{resource.version}" not in found.failures:
                self._end(resource)
        if self._kinds.learn(found):
            self._learned()
        self.discovered.set()
        if not self._is_complete(found):
            raise TemporaryError("discovery does not show yet what the definitions say")
        return DONE

    async def wait_synced(self) -> None:
        for informer, _ in list(self._watched.values()):
            await informer.wait_synced()

    async def _begin(self, resource: Resource) -> None:
        informer = self._client.informer(resource, metadata_only=True)
        handler = partial(self._graph.observe, resource)
        informer.add_handler(handler)
        self._watched[resource] = informer, handler
        if informer.synced:
            await informer.wait_synced()  # what it has is taken over before the next one's, others get a turn

    def _end(self, resource: Resource) -> None:
        informer, handler = self._watched.pop(resource)
        informer.remove_handler(handler)
        self._client.drop_informers(resource)
        self._graph.forget(resource)
        logger.debug("%s are served no longer", resource)

    def _definition_changed(self, kind: str, definition: Object, _: Object | None) -> None:
        if kind == "DELETED":
            self._gone.add(meta.name(definition))
        else:
            self._gone.discard(meta.name(definition))

    def _is_watched(self, resource: Resource) -> bool:
        if (resource.group, resource.plural) in IGNORED or _defined_as(resource) in self._gone:
            return False
        return resource.verbs >= NEEDED_VERBS

    def _is_complete(self, found: Discovery) -> bool:
        """Whether discovery shows what the definitions say."""
        shown = {_defined_as(each) for each in found.preferred}
        established = {meta.name(each) for each in self.definitions.list() if _is_established(each)}
        return established <= shown and not self._gone & shown


def _defined_as(resource: Resource) -> str:
    """The name that the definition of a resource has, if it is a custom one."""
    return f"{resource.plural}.{resource.group}"


def _is_established(definition: Object) -> bool:
    served = any(each.get("served") for each in (definition.get("spec") or {}).get("versions") or ())
    return served and conditions.is_true(definition, "Established")
