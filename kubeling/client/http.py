"""A client over HTTP: requests and watches. Nothing is retried here: informers and runners do that.

What aiohttp raises becomes `ConnectionLost`; what the server refuses becomes an API error.
"""

import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import aiohttp
import orjson

from kubeling.client.discovery import AGGREGATED, discovery_of
from kubeling.client.errors import ConnectionLost
from kubeling.client.informer import CachedInformer
from kubeling.client.informers import Informers
from kubeling.client.kubeconfig import Connection, read_connection
from kubeling.client.paths import delete_options, path, selection
from kubeling.client.protocol import MERGE_PATCH, Discovery, Informer, Listing, WatchEvent
from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object
from kubeling.version import VERSION

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
WATCH_SECONDS = 540
"""How long a watch is asked to last; the connection is given up when it is silent for longer than that."""
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=WATCH_SECONDS + 30)

_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)


class HttpClient:
    """Implements `Client`; connections are reused. Make it inside a running event loop and `close` it."""

    def __init__(
        self, connection: Connection, *, clock: Clock | None = None, user_agent: str = "kubeling"
    ) -> None:
        self.server = connection.server
        self._clock = clock or SystemClock()
        self._informers = Informers("http-client", self._make_informer)
        context = connection.ssl_context() if connection.server.startswith("https:") else True
        self._server_name = connection.server_name or None
        headers = {"User-Agent": f"{user_agent}/{VERSION}", "Accept": "application/json"}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0, socket_factory=_socket),
            headers=headers,
            timeout=REQUEST_TIMEOUT,
            skip_auto_headers=["Accept-Encoding"],  # compression costs more than it saves on a machine
            read_bufsize=2**20,
        )

    def use_token(self, token: str) -> None:
        """From now on, prove with this token who we are."""
        self._session.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def from_kubeconfig(
        cls, file: str | os.PathLike[str], *, clock: Clock | None = None, user_agent: str = "kubeling"
    ) -> Self:
        """Raises: KubeconfigError."""
        return cls(read_connection(file), clock=clock, user_agent=user_agent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

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
    ) -> Listing:
        parameters = selection(label_selector=label_selector, field_selector=field_selector)
        answer = await self.request("GET", path(resource, namespace=namespace), parameters=parameters)
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
    ) -> AsyncGenerator[WatchEvent, None]:
        parameters = selection(label_selector=label_selector, field_selector=field_selector)
        parameters |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        if resource_version:
            parameters["resourceVersion"] = resource_version
        url = self.server + path(resource, namespace=namespace)
        with _connection_errors(self.server):
            async with self._session.get(
                url, params=parameters, timeout=WATCH_TIMEOUT, server_hostname=self._server_name
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
        self, resource: Resource, *, namespace: str | None = None, field_selector: str = ""
    ) -> Informer:
        return self._informers.get(resource, namespace=namespace, field_selector=field_selector)

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
        with _connection_errors(self.server):
            async with self._session.request(
                method,
                self.server + target,
                data=data,
                headers=headers,
                params=parameters,
                server_hostname=self._server_name,
            ) as response:
                answer = await response.read()
                if response.status >= 400:
                    raise failure(response.status, answer)
        return _decode(answer)

    async def close(self) -> None:
        await self._informers.close()
        await self._session.close()

    def _make_informer(
        self, resource: Resource, namespace: str | None, field_selector: str
    ) -> CachedInformer:
        return CachedInformer(
            self, resource, clock=self._clock, namespace=namespace, field_selector=field_selector
        )


def _socket(address: Any) -> socket.socket:
    """A socket that notices within about half a minute that its peer has vanished without a word."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    for level, option, value in _KEEPALIVE:
        made.setsockopt(level, option, value)
    return made


@contextmanager
def _connection_errors(server: str) -> Iterator[None]:
    """The boundary to aiohttp."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise ConnectionLost(f"{server} shows a certificate that is not trusted: {error}") from error
    except aiohttp.ClientConnectorError as error:
        raise ConnectionLost(f"cannot connect to {server}: {error.os_error.strerror or error}") from error
    except TimeoutError as error:
        raise ConnectionLost(f"{server} did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionLost(f"the connection to {server} broke: {error or type(error).__name__}") from error


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
