"""An informer that looks into the server's memory: what it lists is the store's records themselves.

It keeps only which records its handlers have been told of, to tell them what came after.
"""

from collections.abc import Callable, Sequence

from kubeling.client.handlers import Handlers
from kubeling.client.protocol import Handler
from kubeling.client.selection import Matches
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.storage.errors import Compacted, WatchOverflow
from server.storage.record import Event, Record
from server.storage.store import Store

Decode = Callable[[Record, bool], Object]
"""The object of a record, to be kept with it or not. Without managedFields, or perhaps with them if not."""


class LocalInformer:
    """Implements `Informer`. `get` and `list` are never behind a write, from the first moment on; handlers
    that come when there are many objects may be, for a while."""

    def __init__(
        self, store: Store, resource: str, *, namespace: str | None, matches: Matches | None, decode: Decode
    ) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._matches = matches
        self._decode = decode
        self._handlers = Handlers()
        self._revision = store.revision
        self._told = {(record.namespace, record.name): record for record in self._current()}

    @property
    def synced(self) -> bool:
        return not self._handlers.behind

    async def wait_synced(self) -> None:
        await self._handlers.caught_up()

    def get(self, namespace: str, name: str) -> Object | None:
        record = self._store.get(self._resource, namespace, name)
        return self._decode(record, True) if record is not None and self._selected(record) else None

    def list(self, namespace: str | None = None) -> list[Object]:
        return [self._decode(record, True) for record in self._current(namespace)]

    def add_handler(self, handler: Handler) -> None:
        told = list(self._told.values())
        self._handlers.add(handler, known=(self._decode(record, False) for record in told))

    def remove_handler(self, handler: Handler) -> None:
        self._handlers.remove(handler)

    async def run(self, tasks: Tasks) -> None:
        """Follow the store until it closes. A failure is logged by its task, and following resumes."""
        closed = False
        while not closed:
            closed = bool(await tasks.start(self._follow(), name=f"informer-{self._resource}"))

    async def _follow(self) -> bool:
        while True:
            try:
                watch = self._store.watch(self._resource, namespace=self._namespace, since=self._revision)
            except Compacted:
                self._catch_up()
                continue
            async with watch:
                try:
                    async for batch in watch:
                        self._apply(batch)
                        self._revision = watch.revision
                    return True
                except (WatchOverflow, Compacted):
                    self._catch_up()

    def _current(self, namespace: str | None = None) -> Sequence[Record]:
        wanted = self._namespace if namespace is None else namespace
        records = self._store.list(self._resource, wanted)
        return records if self._matches is None else [each for each in records if self._selected(each)]

    def _selected(self, record: Record) -> bool:
        return self._matches is None or self._matches(self._decode(record, False))

    def _apply(self, batch: Sequence[Event]) -> None:
        for event in batch:
            self._tell(event.record, gone=event.type == "DELETED" or not self._selected(event.record))

    def _catch_up(self) -> None:
        """Events were lost: tell the difference between what was told and what is."""
        self._revision = self._store.revision
        current = {(record.namespace, record.name): record for record in self._current()}
        for key, record in list(self._told.items()):
            if key not in current or current[key].uid != record.uid:
                self._tell(record, gone=True)
        for record in current.values():
            self._tell(record, gone=False)

    def _tell(self, record: Record, *, gone: bool) -> None:
        key = (record.namespace, record.name)
        old = self._told.get(key)
        before = self._decode(old, True) if old is not None else None  # kept for whoever else asks
        if gone:
            if self._told.pop(key, None) is not None:
                self._handlers.notify("DELETED", self._decode(record, False), before)
        elif record is not old:
            self._told[key] = record
            self._handlers.notify(
                "ADDED" if before is None else "MODIFIED", self._decode(record, False), before
            )
