"""Deletes the instances of a custom resource whose definition goes, then lets the definition go.

Instances have their own finalizers: until the last one is gone, the definition stays.
"""

import asyncio
import copy
from collections.abc import Callable

from kubeling.objects import conditions, meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.registry.context import SYSTEM, RequestContext
from server.registry.custom.conversion import Post
from server.registry.custom.definition import FINALIZER, Definition
from server.registry.custom.kinds import storage_kind
from server.registry.kind import Kind
from server.registry.options import DeleteOptions
from server.registry.registry import Registry
from server.storage import Record, Store
from server.storage.errors import Compacted, WatchOverflow

PATIENCE = 60.0
"""Seconds until the definition says that instances are still there."""
_PROGRESS = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
_DONE = ("False", "InstanceDeletionCompleted", "removed all instances")
_NEVER = ("False", "NeverEstablished", "resource was never established")
_REMAINING = "could not confirm zero CustomResources remaining: timed out waiting for the condition"

State = tuple[str, str, str]
"""Status, reason and message of the condition Terminating."""
Change = Callable[[Object], None]


class Cleanup:
    def __init__(
        self, registry: Registry, store: Store, kind: Kind, clock: Clock, post: Post, tasks: Tasks
    ) -> None:
        """`kind` is that of the definitions."""
        self._registry = registry
        self._store = store
        self._kind = kind
        self._clock = clock
        self._post = post
        self._tasks = tasks
        self._running: set[str] = set()

    def start(self, name: str) -> None:
        """Begin with a definition, unless that is under way."""
        if name not in self._running:
            self._running.add(name)
            self._tasks.start(self._run(name), name=f"cleanup {name}")

    async def _run(self, name: str) -> None:
        try:
            while not await self._attempt(name):
                await self._clock.sleep(1.0)
        finally:
            self._running.discard(name)

    async def _attempt(self, name: str) -> bool:
        """Whether nothing more is to be done."""
        record = self._store.get(self._kind.stored_in, "", name)
        if record is None or not meta.is_terminating(record.obj):
            return True
        if not conditions.is_true(record.obj, "Established"):
            await self._finish(name, _NEVER)
            return True
        await self._tell(name, _PROGRESS)
        try:
            await self._empty(name, storage_kind(Definition(record.obj), self._post))
        except ApiError as error:
            why = f"could not issue all deletes: {error}"
            await self._tell(name, ("True", "InstanceDeletionFailed", why))
            return False
        await self._finish(name, _DONE)
        return True

    async def _empty(self, name: str, kind: Kind) -> None:
        """Delete every instance, and wait until the last one is gone."""
        while self._store.list(kind.stored_in):
            since = self._store.revision
            await self._registry.delete_collection(_context(), kind, "", options=DeleteOptions())
            if not self._store.list(kind.stored_in):
                return
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._until_empty(kind, since)
            except TimeoutError:
                await self._tell(name, ("True", "InstanceDeletionCheck", _REMAINING))

    async def _until_empty(self, kind: Kind, since: int) -> None:
        try:
            async with self._store.watch(kind.stored_in, since=since) as watch:
                async for _ in watch:
                    if not self._store.list(kind.stored_in):
                        return
        except (WatchOverflow, Compacted):
            return  # the caller looks again

    async def _tell(self, name: str, state: State) -> None:
        def change(obj: Object) -> None:
            self._set(obj, state)

        await self._change(name, change)

    async def _finish(self, name: str, state: State) -> None:
        """Say that it is done, and take the finalizer away."""

        def change(obj: Object) -> None:
            own = obj["metadata"]
            own["finalizers"] = [each for each in own.get("finalizers") or () if each != FINALIZER]
            self._set(obj, state)

        await self._change(name, change)

    def _set(self, obj: Object, state: State) -> None:
        status, reason, message = state
        conditions.set_condition(
            obj, "Terminating", status, reason=reason, message=message, now=self._clock.now()
        )

    async def _change(self, name: str, change: Change) -> None:
        """Through the status, which for definitions takes the finalizers along."""
        while (record := self._current(name)) is not None:
            obj = copy.deepcopy(record.obj)
            change(obj)
            try:
                await self._registry.update(
                    _context(), self._kind, "", name, obj, version="v1", subresource="status"
                )
            except NotFound:
                return
            except Conflict:
                continue
            return

    def _current(self, name: str) -> Record | None:
        return self._store.get(self._kind.stored_in, "", name)


def _context() -> RequestContext:
    return RequestContext(SYSTEM, field_manager="kube-apiserver")
