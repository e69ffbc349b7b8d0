"""Client calls answered by the registry, as one fixed user.

Objects are copied on their way in and out, so callers may do with them what they would over HTTP; those of
informers are shared, as everywhere.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import orjson

from kubeling.client.discovery import preferred
from kubeling.client.informers import Informers
from kubeling.client.protocol import MERGE_PATCH, Discovery, Informer, Listing, WatchEvent
from kubeling.client.resources import Resource
from kubeling.client.selection import selection
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.inprocess.informer import LocalInformer
from server.registry.context import RequestContext, UserInfo
from server.registry.kind import Kind
from server.registry.options import DeleteOptions, ListOptions, Patch, Selection, WatchOptions
from server.registry.registry import Registry
from server.registry.watch import WatchStream
from server.storage.record import Record
from server.storage.store import Store


def user(name: str) -> UserInfo:
    """The identity of a component of the control plane: `system:kube-scheduler` and the like."""
    return UserInfo(name, groups=("system:authenticated",))


def account(name: str) -> UserInfo:
    """The identity of a service account in kube-system."""
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return UserInfo(f"system:serviceaccount:kube-system:{name}", groups=groups)


_NOBODY = "the server could not find the requested resource"


class LocalClient:
    """Implements `Client`. `store` must be the one under the registry."""

    def __init__(self, registry: Registry, store: Store, *, user: UserInfo) -> None:
        self._registry = registry
        self._store = store
        self._user = user
        self._informers = Informers(f"informers-{user.name}", self._make_informer)
        self._watches: dict[WatchStream, Kind] = {}
        registry.kinds.on_removal(self._end_removed)

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        kind = self._kind(resource)
        if subresource and subresource not in kind.subresources:
            raise NotFound(_NOBODY)
        record = await self._registry.get(kind, namespace, name, subresource=subresource)
        return self._copy(record, resource, kind)

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        kind = self._kind(resource)
        options = ListOptions(Selection.parse(label_selector, field_selector))
        result = await self._registry.list(kind, namespace or "", options)
        items = [self._copy(record, resource, kind) for record in result.records]
        return Listing(items, str(result.revision))

    async def create(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        kind = self._kind(resource)
        record = await self._registry.create(
            self._context(),
            kind,
            meta.namespace(obj),
            _plain(obj),
            version=resource.version,
            name=meta.name(obj) if subresource else "",
            subresource=subresource,
        )
        return record.copy() if subresource else self._copy(record, resource, kind)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        kind = self._kind(resource)
        result = await self._registry.update(
            self._context(),
            kind,
            meta.namespace(obj),
            meta.name(obj),
            _plain(obj),
            version=resource.version,
            subresource=subresource,
        )
        return self._copy(result.record, resource, kind)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Object],
        *,
        namespace: str = "",
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> Object:
        kind = self._kind(resource)
        result = await self._registry.patch(
            self._context(),
            kind,
            namespace,
            name,
            Patch(content_type, _plain(patch)),
            version=resource.version,
            subresource=subresource,
        )
        return self._copy(result.record, resource, kind)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_seconds: int | None = None,
        preconditions: Mapping[str, str] | None = None,
        propagation_policy: str | None = None,
    ) -> Object:
        kind = self._kind(resource)
        options = DeleteOptions(
            grace_period_seconds=grace_period_seconds,
            uid=(preconditions or {}).get("uid", ""),
            resource_version=(preconditions or {}).get("resourceVersion", ""),
            propagation_policy=propagation_policy or "",
        )
        result = await self._registry.delete(self._context(), kind, namespace, name, options)
        return result.status or self._copy(result.record, resource, kind)

    async def delete_collection(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
    ) -> None:
        options = DeleteOptions(
            grace_period_seconds=grace_period_seconds, propagation_policy=propagation_policy or ""
        )
        which = ListOptions(Selection.parse(label_selector, field_selector))
        await self._registry.delete_collection(
            self._context(), self._kind(resource), namespace, which, options
        )

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        kind = self._kind(resource)
        options = WatchOptions(
            Selection.parse(label_selector, field_selector),
            resource_version=resource_version or str(self._store.revision),
        )
        stream = self._registry.watch(kind, namespace or "", options)
        self._watches[stream] = kind
        try:
            async for batch in stream:
                for event in batch:
                    yield WatchEvent(event.type, self._copy(event.record, resource, kind))
        finally:
            del self._watches[stream]
            stream.close()

    def _end_removed(self, gone: Sequence[Kind]) -> None:
        """Watches end with their kinds, as over HTTP."""
        for stream in self._registry.kinds.ended(self._watches):
            stream.close()

    async def discover(self) -> Sequence[Resource]:
        return (await self.discovery()).preferred

    async def discovery(self) -> Discovery:
        served = [kind for kind in self._registry.kinds.all() if self._registry.serves(kind)]
        every = [_resource(kind, version) for kind in served for version in kind.versions]
        return Discovery(preferred(every), every, {})

    async def fetch(self, path: str, parameters: Mapping[str, str]) -> Object:
        """A list of what is made when it is asked for, such as metrics.

        Raises: NotFound, for all else is what other servers answer (`whole`).
        """
        parts = path.strip("/").split("/")
        kind = self._registry.kinds.lookup(parts[1], parts[2], parts[-1]) if len(parts) > 3 else None
        if kind is None or not kind.computed or not self._registry.serves(kind):
            raise NotFound(_NOBODY)
        namespace = parts[4] if parts[3] == "namespaces" else ""
        chosen = Selection.parse(parameters.get("labelSelector", ""), parameters.get("fieldSelector", ""))
        result = await self._registry.list(kind, namespace, ListOptions(chosen))
        return {"items": [record.copy() for record in result.records]}

    def informer(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Informer:
        return self._informers.get(resource, namespace=namespace, field_selector=field_selector)

    def drop_informers(self, resource: Resource) -> None:
        self._informers.drop(resource)

    async def close(self) -> None:
        await self._informers.close()
        self._registry.kinds.off_removal(self._end_removed)

    def _kind(self, resource: Resource) -> Kind:
        kind = self._registry.kinds.lookup(resource.group, resource.version, resource.plural)
        if kind is None:
            raise NotFound("the server could not find the requested resource")
        return kind

    def _context(self) -> RequestContext:
        return RequestContext(self._user, field_manager=_manager(self._user.name))

    def _copy(self, record: Record, resource: Resource, kind: Kind) -> Object:
        if resource.api_version == kind.storage_api_version:
            return record.copy()
        return deepcopy(self._registry.decoded(record, kind, resource.version))

    def _make_informer(
        self, resource: Resource, namespace: str | None, field_selector: str, _: bool
    ) -> LocalInformer:
        kind = self._kind(resource)

        def decode(record: Record, keep: bool) -> Object:
            if kind.form is not None:
                current = self._registry.kinds.lookup(resource.group, resource.version, resource.plural)
                form = (current or kind).form
                return ((form.seen(record) if form is not None else None) or record).lean
            if resource.api_version == kind.storage_api_version:
                return record.lean if keep else record.parsed()
            return self._registry.decoded(record, kind, resource.version)

        return LocalInformer(
            self._store,
            kind.stored_in,
            namespace=namespace,
            matches=selection(None, field_selector=field_selector) if field_selector else None,
            decode=decode,
        )


def _manager(user: str) -> str:
    """The field manager: as upstream, one for all the controllers, whatever their identities."""
    controller = user.startswith("system:serviceaccount:")
    return "kube-controller-manager" if controller else user.removeprefix("system:")


def _resource(kind: Kind, version: str) -> Resource:
    verbs = frozenset(kind.listed_verbs)
    return Resource(kind.group, version, kind.plural, kind.kind, kind.namespaced, verbs)


def _plain(value: Any) -> Any:
    """A copy by way of JSON, as a request over HTTP makes."""
    return orjson.loads(orjson.dumps(value))
