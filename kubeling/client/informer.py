"""An informer that keeps its own copy of a collection, fed by list and watch over any client.

`Cache` is the copy and its handlers; `CachedInformer` keeps it current, through restarts of the server. The
server's own controllers use neither: their informers look into the server's memory.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Protocol

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.handlers import Handlers
from kubeling.client.protocol import Handler, Listing, WatchEvent
from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, ServiceUnavailable, TooManyRequests
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks

logger = logging.getLogger(__name__)

SHORTEST_WATCH = 1.0
"""A watch that ends within so many seconds without an event counts as a failure: no hot loop on it."""


class Source(Protocol):
    """What an informer asks: a client, or a part of one."""

    def list(
        self, resource: Resource, *, namespace: str | None, field_selector: str
    ) -> Awaitable[Listing]: ...

    def watch(
        self, resource: Resource, *, namespace: str | None, field_selector: str, resource_version: str
    ) -> AsyncGenerator[WatchEvent, None]: ...


class CachedInformer:
    """Implements `Informer`. It resumes from the last revision seen, and relists when history is lost."""

    def __init__(
        self,
        client: Source,
        resource: Resource,
        *,
        clock: Clock,
        namespace: str | None = None,
        field_selector: str = "",
        transform: Callable[[Object], Object] = lambda obj: obj,
    ) -> None:
        """`transform` is applied to each object before it is kept; it may change the object."""
        self._client = client
        self._resource = resource
        self._clock = clock
        self._namespace = namespace
        self._field_selector = field_selector
        self._transform = transform
        self._objects: dict[str, dict[str, Object]] = {}
        self._handlers = Handlers()
        self._revision = ""
        self._synced = asyncio.Event()
        self._backoff = Backoff()
        self._failing = False

    @property
    def synced(self) -> bool:
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get(namespace, {}).get(name)

    def list(self, namespace: str | None = None) -> list[Object]:
        if namespace is not None:
            return [*self._objects.get(namespace, {}).values()]
        return [obj for objects in self._objects.values() for obj in objects.values()]

    def add_handler(self, handler: Handler) -> None:
        self._handlers.add(handler, known=self.list())

    def remove_handler(self, handler: Handler) -> None:
        self._handlers.remove(handler)

    async def run(self, tasks: Tasks) -> None:
        """Keep the copy current until cancelled. Whatever ends one attempt, another follows after a delay."""
        while True:
            await tasks.start(self._attempts(), name=f"informer-{self._resource}")
            self._revision = ""
            await self._clock.sleep(self._backoff.next())

    async def _attempts(self) -> None:
        while True:
            try:
                await self._list_and_watch()
            except (TooManyRequests, ServiceUnavailable, ConnectionLost) as error:
                self._note_failure(error)
            except ApiError as error:
                self._revision = ""
                self._note_failure(error)
            await self._clock.sleep(self._backoff.next())

    async def _list_and_watch(self) -> None:
        if not self._revision:
            listing = await self._client.list(
                self._resource, namespace=self._namespace, field_selector=self._field_selector
            )
            self._replace(listing.items)
            self._revision = listing.resource_version
        await self._watch()

    async def _watch(self) -> None:
        """Follow watches, one after the other, for as long as they are good ones."""
        useful = True
        while useful:
            began = self._clock.monotonic()
            try:
                useful = await self._follow()
            finally:
                if self._clock.monotonic() - began >= SHORTEST_WATCH:
                    useful = True
                    self._note_success()

    async def _follow(self) -> bool:
        """Follow one watch to its end; says whether it brought anything."""
        useful = False
        watch = self._client.watch(
            self._resource,
            namespace=self._namespace,
            field_selector=self._field_selector,
            resource_version=self._revision,
        )
        async with aclosing(watch):
            async for kind, obj in watch:
                useful = True
                self._note_success()
                self._apply(kind, obj)
        return useful

    def _apply(self, kind: str, obj: Object) -> None:
        if kind == "DELETED":
            self._remove(obj)
        elif kind != "BOOKMARK":
            self._put(obj)
        self._revision = meta.resource_version(obj) or self._revision

    def _replace(self, items: Iterable[Object]) -> None:
        fresh = {(meta.namespace(obj), meta.name(obj)): obj for obj in items}
        for gone in [obj for obj in self.list() if (meta.namespace(obj), meta.name(obj)) not in fresh]:
            self._remove(gone)
        for obj in fresh.values():
            self._put(obj)
        if not self.synced:
            self._handlers.after(self._synced.set)

    def _put(self, obj: Object) -> None:
        obj = self._transform(obj)
        space = self._objects.setdefault(meta.namespace(obj), {})
        old = space.get(meta.name(obj))
        space[meta.name(obj)] = obj
        if old is None:
            self._handlers.notify("ADDED", obj, None)
        elif meta.uid(old) != meta.uid(obj):
            self._handlers.notify("DELETED", old, old)
            self._handlers.notify("ADDED", obj, None)
        elif meta.resource_version(old) != meta.resource_version(obj):
            self._handlers.notify("MODIFIED", obj, old)

    def _remove(self, obj: Object) -> None:
        space = self._objects.get(meta.namespace(obj), {})
        old = space.pop(meta.name(obj), None)
        if not space:
            self._objects.pop(meta.namespace(obj), None)
        if old is not None:
            self._handlers.notify("DELETED", obj, old)

    def _note_failure(self, error: Exception) -> None:
        log = logger.debug if self._failing else logger.warning
        log("cannot follow %s, trying again: %s", self._resource, error)
        self._failing = True

    def _note_success(self) -> None:
        self._backoff.reset()
        if self._failing:
            logger.info("following %s again", self._resource)
            self._failing = False
