"""The whole API for the server's own components: what this server has itself, and what others answer."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from kubeling.client.discovery import preferred
from kubeling.client.protocol import MERGE_PATCH, Client, Discovery, Informer, Listing, WatchEvent
from kubeling.client.resources import Resource
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.inprocess.client import LocalClient
from server.registry.context import UserInfo


class Others(Protocol):
    """The servers that APIServices name."""

    def serves(self, group: str, version: str) -> bool: ...

    async def discovery(self) -> Discovery:
        """What they said last that they have."""
        ...

    def client(self, user: UserInfo) -> Client:
        """Requests to them in the name of a user."""
        ...


class WholeClient:
    """Implements `Client`: each request goes to where its resource is."""

    def __init__(self, here: LocalClient, others: Others, user: UserInfo) -> None:
        self._here = here
        self._others = others
        self._elsewhere = others.client(user)

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        return await self._of(resource).get(resource, name, namespace=namespace, subresource=subresource)

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        return await self._of(resource).list(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector
        )

    async def create(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        return await self._of(resource).create(resource, obj, subresource=subresource)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        return await self._of(resource).update(resource, obj, subresource=subresource)

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
        return await self._of(resource).patch(
            resource, name, patch, namespace=namespace, subresource=subresource, content_type=content_type
        )

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
        return await self._of(resource).delete(
            resource,
            name,
            namespace=namespace,
            grace_period_seconds=grace_period_seconds,
            preconditions=preconditions,
            propagation_policy=propagation_policy,
        )

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
        await self._of(resource).delete_collection(
            resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            grace_period_seconds=grace_period_seconds,
            propagation_policy=propagation_policy,
        )

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        return self._of(resource).watch(
            resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
        )

    async def discover(self) -> Sequence[Resource]:
        return (await self.discovery()).preferred

    async def discovery(self) -> Discovery:
        here, there = await self._here.discovery(), await self._others.discovery()
        every = [*here.every, *there.every]
        return Discovery(preferred(every), every, there.failures)

    async def fetch(self, path: str, parameters: Mapping[str, str]) -> Object:
        parts = path.strip("/").split("/")
        if len(parts) < 3 or not self._others.serves(parts[1], parts[2]):
            with suppress(NotFound):
                return await self._here.fetch(path, parameters)
        return await self._elsewhere.fetch(path, parameters)

    def informer(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Informer:
        return self._of(resource).informer(
            resource, namespace=namespace, field_selector=field_selector, metadata_only=metadata_only
        )

    def drop_informers(self, resource: Resource) -> None:
        self._here.drop_informers(resource)
        self._elsewhere.drop_informers(resource)

    async def close(self) -> None:
        await self._here.close()
        await self._elsewhere.close()

    def _of(self, resource: Resource) -> Client:
        elsewhere = self._others.serves(resource.group, resource.version)
        return self._elsewhere if elsewhere else self._here
