"""What the operations share: the store, the clock, admission, the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import not_found
from kubeling.objects.meta import Object
from server.registry.admission import Admission, Attributes
from server.registry.context import RequestContext
from server.registry.kind import Kind, StoredForm
from server.registry.settings import Settings
from server.registry.strategy import Scope
from server.storage import Record, Store


@dataclass(frozen=True, slots=True)
class Environment:
    store: Store
    clock: Clock
    admission: Admission
    settings: Settings

    def scope(self, context: RequestContext, kind: Kind) -> Scope:
        return Scope(context, kind, self.clock.now(), self.store, self.settings)

    async def find(self, kind: Kind, namespace: str, name: str) -> Record:
        """
        Raises:
            NotFound: there is none of that name.
            ApiError: it cannot be converted.
        """
        record = self.store.get(kind.stored_in, namespace, name)
        if record is None:
            raise not_found(kind.resource, name)
        if kind.form is None:
            return record
        return await self._converted(kind.form, record, kind.form.seen(record))

    async def seen(self, kind: Kind, records: Sequence[Record]) -> Sequence[Record]:
        """Stored records as the kind's operations see them.

        Raises:
            ApiError: they cannot be converted.
        """
        return records if kind.form is None else await kind.form.seen_all(records)

    async def add(self, kind: Kind, namespace: str, name: str, obj: Object) -> Record:
        """Store a new object. Raises what storage raises, as do the other two."""
        if kind.form is None:
            return await self.store.create(kind.stored_in, namespace, name, obj)
        record = await self.store.create(kind.stored_in, namespace, name, await kind.form.stored(obj))
        return await self._converted(kind.form, record, kind.form.written(record))

    async def replace(self, kind: Kind, record: Record, obj: Object) -> Record:
        """Store a new state of the object that the record is the current one of."""
        stored = obj if kind.form is None else await kind.form.stored(obj)
        written = await self.store.update(*record.key, stored, expected=record.revision)
        if kind.form is None:
            return written
        return await self._converted(kind.form, written, kind.form.written(written))

    async def drop(self, kind: Kind, record: Record, final: Object | None) -> Record:
        """Remove the object that the record is the current one of; `final` is its last state, if it has one
        of its own."""
        stored = final if kind.form is None or final is None else await kind.form.stored(final)
        removed = await self.store.delete(*record.key, expected=record.revision, obj=stored)
        if kind.form is None:
            return removed
        return await self._converted(kind.form, removed, kind.form.written(removed))

    async def _converted(self, form: StoredForm, record: Record, found: Record | None) -> Record:
        return found or (await form.convert([record]))[0]


def attributes(
    scope: Scope,
    operation: str,
    *,
    version: str,
    namespace: str,
    name: str,
    subresource: str = "",
    obj: Object | None = None,
    old: Object | None = None,
    options: Object | None = None,
) -> Attributes:
    """What admission is asked about."""
    return Attributes(
        context=scope.context,
        kind=scope.kind,
        version=version,
        operation=operation,
        namespace=namespace,
        name=name,
        subresource=subresource,
        obj=obj,
        old=old,
        options=options or {},
        now=scope.now,
    )


def unstored(kind: Kind, obj: Object) -> Record:
    """A record of something that is not in the store: the outcome of a dry run, a Scale, a Status."""
    own = meta.metadata(obj)
    revision = own.get("resourceVersion") or "0"
    return Record(
        resource=kind.stored_in,
        namespace=own.get("namespace") or "",
        name=own.get("name") or "",
        uid=own.get("uid") or "",
        revision=int(revision) if revision.isdecimal() else 0,
        created_revision=0,
        body=orjson.dumps(obj),
    )
