"""Every verb as a request over HTTP, whatever connection that goes by (`http`, and the server's to others).

What the server refuses becomes an API error; other failures are translated by who opens the connection.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import aiohttp
import orjson

from kubeling.client.discovery import AGGREGATED, discovery_of
from kubeling.client.errors import ConnectionLost
from kubeling.client.informer import CachedInformer
from kubeling.client.informers import Informers
from kubeling.client.paths import delete_options, path, selection
from kubeling.client.protocol import MERGE_PATCH, Discovery, Informer, Listing, WatchEvent
from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object

WATCH_SECONDS = 540
"""How long a watch is asked to last; the connection is given up when it is silent for longer than that."""


_METADATA = "application/json;as={kind};g=meta.k8s.io;v=v1"
METADATA = _METADATA.format(kind="PartialObjectMetadata")
METADATA_LIST = _METADATA.format(kind="PartialObjectMetadataList")


class RestClient(ABC):
    """Implements `Client`, but for how an answer comes."""

    def __init__(self, *, clock: Clock, name: str) -> None:
        self._clock = clock
        self._informers = Informers(name, self._make_informer)

    @abstractmethod
    def opened(
        self,
        method: str,
        target: str,
        *,
        data: bytes | None,
        headers: Mapping[str, str],
        parameters: Mapping[str, str],
        watching: bool,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The answer, whatever its status; a watch may be silent for WATCH_SECONDS.

        Raises:
            ConnectionLost, ApiError: there is none, or it breaks off while it is being read.
        """

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        return await self.request(
            "GET", path(resource, namespace=namespace, name=name, subresource=subresource)
        )

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        accept: str = "",
    ) -> Listing:
        parameters = selection(label_selector=label_selector, field_selector=field_selector)
        answer = await self.request(
            "GET", path(resource, namespace=namespace), parameters=parameters, accept=accept
        )
        items: list[Object] = answer.get("items") or []
        for item in items:  # a server may leave these out of a list's items
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return Listing(items, meta.resource_version(answer))

    async def create(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        name = meta.name(obj) if subresource else ""
        target = path(resource, namespace=meta.namespace(obj), name=name, subresource=subresource)
        return await self.request("POST", target, body=obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        target = path(resource, namespace=meta.namespace(obj), name=meta.name(obj), subresource=subresource)
        return await self.request("PUT", target, body=obj)

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
        target = path(resource, namespace=namespace, name=name, subresource=subresource)
        return await self.request("PATCH", target, body=patch, content_type=content_type)

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
        options = delete_options(
            grace_period_seconds=grace_period_seconds,
            preconditions=preconditions,
            propagation_policy=propagation_policy,
        )
        return await self.request("DELETE", path(resource, namespace=namespace, name=name), body=options)

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
        parameters = selection(label_selector=label_selector, field_selector=field_selector)
        options = delete_options(
            grace_period_seconds=grace_period_seconds,
            preconditions=None,
            propagation_policy=propagation_policy,
        )
        target = path(resource, namespace=namespace)
        await self.request("DELETE", target, body=options, parameters=parameters)

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        accept: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        parameters = selection(label_selector=label_selector, field_selector=field_selector)
        parameters |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        if resource_version:
            parameters["resourceVersion"] = resource_version
        target = path(resource, namespace=namespace)
        headers = {"Accept": accept} if accept else {}
        async with self.opened(
            "GET", target, data=None, headers=headers, parameters=parameters, watching=True
        ) as response:
            if response.status != 200:
                raise failure(response.status, await response.read())
            async for line in _lines(response.content):
                yield _event(line)

    async def discover(self) -> Sequence[Resource]:
        return (await self.discovery()).preferred

    async def discovery(self) -> Discovery:
        pages = [await self.request("GET", path, accept=AGGREGATED) for path in ("/api", "/apis")]
        return discovery_of([group for page in pages for group in page.get("items") or ()])

    async def fetch(self, path: str, parameters: Mapping[str, str]) -> Object:
        return await self.request("GET", path, parameters=parameters)

    def informer(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Informer:
        return self._informers.get(
            resource, namespace=namespace, field_selector=field_selector, metadata_only=metadata_only
        )

    def drop_informers(self, resource: Resource) -> None:
        self._informers.drop(resource)

    async def request(
        self,
        method: str,
        target: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        parameters: Mapping[str, str] | None = None,
        accept: str = "",
    ) -> Object:
        """One request to any path, for what has no method of its own.

        Raises:
            ConnectionLost: no complete answer came.
            ApiError: the server answered with a failure.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        if accept:
            headers["Accept"] = accept
        data = orjson.dumps(body) if body is not None else None
        async with self.opened(
            method, target, data=data, headers=headers, parameters=parameters or {}, watching=False
        ) as response:
            answer = await response.read()
            if response.status >= 400:
                raise failure(response.status, answer)
        return _decode(answer)

    async def close(self) -> None:
        await self._informers.close()

    def _make_informer(
        self, resource: Resource, namespace: str | None, field_selector: str, metadata_only: bool
    ) -> CachedInformer:
        return CachedInformer(
            _MetadataOnly(self) if metadata_only else self,
            resource,
            clock=self._clock,
            namespace=namespace,
            field_selector=field_selector,
            transform=_without_owners if metadata_only else lambda obj: obj,
        )


class _MetadataOnly:
    """A client's collections, of which only the metadata come."""

    def __init__(self, client: RestClient) -> None:
        self.list = partial(client.list, accept=METADATA_LIST)
        self.watch = partial(client.watch, accept=METADATA)


def _without_owners(obj: Object) -> Object:
    """Who manages which field would be most of what is kept."""
    obj["metadata"].pop("managedFields", None)
    return obj


def failure(code: int, body: bytes) -> ApiError:
    """What a server said no with."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = {"message": body.decode(errors="replace").strip()[:1024]}
    return ApiError.from_status({"code": code, **status})


def _decode(body: bytes) -> Object:
    try:
        answer: Object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ConnectionLost(f"the answer is not JSON: {error}") from error
    return answer


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length; half a line at the end of the stream is dropped."""
    partial: list[bytes] = []
    async for chunk in stream.iter_any():
        first, *rest = chunk.split(b"\n")
        partial.append(first)
        for line in rest:
            whole = b"".join(partial)
            partial = [line]
            if whole:
                yield whole


def _event(line: bytes) -> WatchEvent:
    event = _decode(line)
    if event["type"] == "ERROR":
        raise ApiError.from_status(event["object"])
    return WatchEvent(event["type"], event["object"])
