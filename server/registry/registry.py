"""The door to the kinds: every read and write of an object, from HTTP or from within the server, comes here.

Objects come in and go out in a served version (`version`, the preferred one when ""); what is stored,
and what a Record's `obj` and `body` hold, is the storage version. Errors are ApiErrors.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from kubeling.objects.clock import Clock
from kubeling.objects.errors import GroupResource, NotFound, invalid
from kubeling.objects.meta import Object
from kubeling.objects.meta import name as name_of
from server.registry import encoding, metadata
from server.registry.admission import Admission
from server.registry.apply import apply_object
from server.registry.computed import Computed, computed_list, computed_object
from server.registry.context import RequestContext
from server.registry.create import act, create
from server.registry.decoding import decoded
from server.registry.delete import delete, delete_collection
from server.registry.environment import Environment, attributes, unstored
from server.registry.freshness import caught_up, reached
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.listing import list_records
from server.registry.options import APPLY_PATCH, DeleteOptions, ListOptions, Patch, WatchOptions
from server.registry.patch import patch_object
from server.registry.results import DeleteResult, ListResult, UpdateResult
from server.registry.scale import patch_scale, scale_of, update_scale
from server.registry.settings import Settings
from server.registry.table import table
from server.registry.update import update
from server.registry.watch import WatchStream
from server.storage import Record, Store, Usage

LIST_ALL, WATCH_ALL, DELETE_DEFAULT = ListOptions(), WatchOptions(), DeleteOptions()

Review = Callable[[RequestContext, Object], Awaitable[Object]]
"""Answers a create-only kind such as a TokenReview: the object, completed."""


class Registry:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        admission: Admission,
        *,
        settings: Settings | None = None,
        reviews: Mapping[GroupResource, Review] | None = None,
        computed: Mapping[GroupResource, Computed] | None = None,
    ) -> None:
        """`reviews` answers create-only kinds by resource, `computed` makes the objects of kinds that are not
        stored; the others of them are not served."""
        self._env = Environment(store, clock, admission, settings or Settings())
        self._store = store
        self._reviews = reviews or {}
        self._computed = computed or {}
        self.kinds = Kinds()
        """Every kind that is served."""

    def serves(self, kind: Kind) -> bool:
        """Whether requests for the kind can be answered: for discovery."""
        if kind.computed:
            return kind.resource in self._computed
        return kind.stored or kind.posted_to is not None or kind.resource in self._reviews

    @property
    def trouble(self) -> str:
        """Why objects cannot be written at present; "" while they can."""
        return "the database fails" if self._store.failing else ""

    async def usage(self) -> Usage:
        """What the store takes and holds."""
        return await self._store.usage()

    async def get(
        self, kind: Kind, namespace: str, name: str, *, subresource: str = "", resource_version: str = ""
    ) -> Record:
        """The object, not older than a resourceVersion ("0": of any age). Namespace is "" for cluster-scoped
        kinds, here and everywhere.

        Raises:
            NotFound: there is none of that name.
            Timeout: the resourceVersion is of the future.
        """
        if kind.computed:
            return await computed_object(kind, self._computed[kind.resource], namespace, name)
        if resource_version or self._store.shared:
            await reached(self._store, self._env.clock, resource_version)
        record = await self._env.find(kind, namespace, name)
        return scale_of(kind, record) if subresource == "scale" else record

    async def list(self, kind: Kind, namespace: str, options: ListOptions = LIST_ALL) -> ListResult:
        """Objects in the order of namespace and name; namespace "" lists all namespaces.

        Raises:
            BadRequest: a selector names a field that the kind does not offer, or the options contradict.
            Expired: the continue token's revision has been compacted.
        """
        if kind.computed:
            make = self._computed[kind.resource]
            return await computed_list(
                kind, make, namespace, options.selection, revision=self._store.revision
            )
        if self._store.shared or options.resource_version:
            at_least = "" if options.continue_token else options.resource_version
            await reached(self._store, self._env.clock, at_least)
        return await list_records(self._env, kind, namespace, options)

    def watch(self, kind: Kind, namespace: str, options: WatchOptions = WATCH_ALL) -> WatchStream:
        """An async iterator of batches (`list[WatchEvent]`); iterating raises Expired when the revision to
        start from is gone, or when the consumer fell behind too far. Close it with `close()`."""
        return WatchStream(self._env, kind, namespace, options)

    async def create(
        self,
        context: RequestContext,
        kind: Kind,
        namespace: str,
        obj: Object,
        *,
        version: str = "",
        name: str = "",
        subresource: str = "",
    ) -> Record:
        """Create an object, or POST to a subresource of `name` (pods/binding, pods/eviction).

        The record of a subresource, and of a review, holds the answer (a Status, a Scale, ...).
        """
        await caught_up(self._store)
        if subresource:
            return await act(self._env, context, kind, namespace, name, obj, subresource)
        if kind.posted_to is not None:
            target, place = kind.posted_to
            return await act(self._env, context, target, namespace, name_of(obj), obj, place)
        version = version or kind.versions[0]
        if not kind.stored:
            return await self._review(context, kind, namespace, obj, version)
        return await create(self._env, context, kind, namespace, obj, version=version)

    async def _review(
        self, context: RequestContext, kind: Kind, namespace: str, obj: Object, version: str
    ) -> Record:
        answer = self._reviews.get(kind.resource)
        if answer is None:
            raise NotFound("the server could not find the requested resource", details={})
        wanted = decoded(context, kind, version, obj)
        metadata.place(kind, namespace, wanted)
        causes = kind.strategy.validate_create(wanted)
        if causes:
            raise invalid(kind.kind, "", causes, group=kind.group)
        return unstored(kind, await answer(context, wanted))

    async def update(
        self,
        context: RequestContext,
        kind: Kind,
        namespace: str,
        name: str,
        obj: Object,
        *,
        version: str = "",
        subresource: str = "",
    ) -> UpdateResult:
        """Replace the object, or one subresource of it. A resourceVersion in `obj` must be current."""
        await caught_up(self._store)
        if subresource == "scale":
            return await update_scale(self._env, context, kind, namespace, name, obj)
        version = version or kind.versions[0]
        return await update(
            self._env, context, kind, namespace, name, obj, version=version, subresource=subresource
        )

    async def patch(
        self,
        context: RequestContext,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Patch,
        *,
        version: str = "",
        subresource: str = "",
    ) -> UpdateResult:
        """Apply a patch to the current object in the served version, then update; races are tried again."""
        await caught_up(self._store)
        if subresource == "scale":
            return await patch_scale(self._env, context, kind, namespace, name, patch)
        version = version or kind.versions[0]
        change = apply_object if patch.content_type == APPLY_PATCH else patch_object
        return await change(
            self._env, context, kind, namespace, name, patch, version=version, subresource=subresource
        )

    async def delete(
        self,
        context: RequestContext,
        kind: Kind,
        namespace: str,
        name: str,
        options: DeleteOptions = DELETE_DEFAULT,
    ) -> DeleteResult:
        """Ask for deletion: at once, after the grace period, or when the finalizers are gone."""
        await caught_up(self._store)
        return await delete(self._env, context, kind, namespace, name, options)

    async def delete_collection(
        self,
        context: RequestContext,
        kind: Kind,
        namespace: str,
        list_options: ListOptions = LIST_ALL,
        options: DeleteOptions = DELETE_DEFAULT,
    ) -> ListResult:
        """Delete what is selected; gives back the objects as they were found."""
        await caught_up(self._store)
        return await delete_collection(self._env, context, kind, namespace, list_options, options)

    async def connect(
        self,
        context: RequestContext,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        version: str,
        subresource: str,
        options: Object,
    ) -> None:
        """Ask admission whether a connection to an object may be opened; nothing is stored.

        Raises:
            ApiError: it may not.
        """
        asked = attributes(
            self._env.scope(context, kind),
            "CONNECT",
            version=version,
            namespace=namespace,
            name=name,
            subresource=subresource,
            obj=options,
        )
        await self._env.admission.mutate(asked)
        await self._env.admission.validate(asked)

    def encode(self, record: Record, kind: Kind, version: str = "", *, subresource: str = "") -> bytes:
        """The object as JSON in a served version; no work at all when that is the storage version."""
        if subresource == "scale":
            return record.body
        return encoding.encode(record, kind, version or kind.versions[0])

    def decoded(self, record: Record, kind: Kind, version: str = "") -> Object:
        """The object in a served version; shared, not to be changed."""
        return encoding.decoded(record, kind, version or kind.versions[0])

    def table(
        self,
        kind: Kind,
        records: Sequence[Record],
        *,
        version: str = "",
        include_object: str = "Metadata",
        headers: bool = True,
        list_meta: Object | None = None,
        table_version: str = "v1",
    ) -> Object:
        """A meta.k8s.io Table of the records, to be encoded with orjson: its rows are JSON already.

        `include_object` is None, Metadata or Object; without `headers` the column definitions are left out
        (all events of a watch but the first)."""
        return table(
            kind,
            records,
            version=version or kind.versions[0],
            include_object=include_object,
            headers=headers,
            list_meta=list_meta,
            table_version=table_version,
            now=self._env.clock.now(),
        )
