"""What the operations share: the store, the clock, admission, the settings."""

from dataclasses import dataclass

import orjson

from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import not_found
from kubeling.objects.meta import Object
from server.registry.admission import Admission, Attributes
from server.registry.context import RequestContext
from server.registry.kind import Kind
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

    def find(self, kind: Kind, namespace: str, name: str) -> Record:
        """
        Raises:
            NotFound: there is none of that name.
        """
        record = self.store.get(kind.stored_in, namespace, name)
        if record is None:
            raise not_found(kind.resource, name)
        return record


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
