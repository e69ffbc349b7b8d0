"""Where a node's agent listens, by its Node object, and connections to it with the server's certificate."""

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kubeling.objects.errors import InternalError, ServiceUnavailable
from kubeling.objects.meta import Object
from server.api.backends import new_session
from server.config import KeyPair
from server.registry.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import ClientSession, StreamReader

_ADDRESS_TYPES = ("InternalIP", "Hostname", "ExternalIP")
DEFAULT_PORT = 10250
PAGE_SECONDS, LARGEST_PAGE = 10.0, 64 * 1024 * 1024


@dataclass(frozen=True)
class Endpoint:
    """A host and port, over TLS or not."""

    host: str
    port: int
    secure: bool = True

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}"


class Nodes:
    """Finds node agents and talks to them. `close` ends the connections that are kept open."""

    def __init__(self, registry: Registry, *, client: KeyPair, authority: "Path") -> None:
        self._registry = registry
        self._client = client
        self._authority = authority
        self._context: ssl.SSLContext | None = None
        self._session: ClientSession | None = None

    async def endpoint(self, node: str) -> Endpoint:
        """Where the agent of a node listens.

        Raises:
            NotFound, InternalError: there is no such node, or it has no address.
        """
        kind = self._registry.kinds.lookup("", "v1", "nodes")
        assert kind is not None
        record = await self._registry.get(kind, "", node)
        return endpoint_of(record.obj)

    @property
    def session(self) -> "ClientSession":
        """An HTTP client that shows the server's certificate."""
        if self._session is None:
            self._session = new_session(self.tls())
        return self._session

    def tls(self) -> ssl.SSLContext:
        """TLS as a client that shows the server's certificate, and trusts the cluster's authority only."""
        if self._context is None:
            context = ssl.create_default_context(cafile=str(self._authority))
            context.load_cert_chain(self._client.certificate, self._client.key)
            self._context = context
        return self._context

    async def page(self, endpoint: Endpoint, path: str) -> str:
        """A text that a node's agent has. Raises OSError or TimeoutError when it does not give it."""
        from aiohttp import ClientError, ClientTimeout

        timeout = ClientTimeout(total=PAGE_SECONDS)
        try:
            async with self.session.get(endpoint.url + path, timeout=timeout) as answer:
                if answer.status != HTTPStatus.OK:
                    raise OSError(f"{path} is answered with {answer.status}")
                pieces = [piece async for piece in _no_more_than(answer.content, LARGEST_PAGE)]
                return b"".join(pieces).decode(errors="replace")
        except ClientError as error:
            raise OSError(str(error)) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _no_more_than(content: "StreamReader", size: int) -> AsyncIterator[bytes]:
    """Raises OSError when there is more."""
    async for piece in content.iter_any():
        size -= len(piece)
        if size < 0:
            raise OSError("the page is too large")
        yield piece


def endpoint_of(node: Object) -> Endpoint:
    """The agent's address and port, as the node reports them."""
    status: Mapping[str, Any] = node.get("status") or {}
    addresses = status.get("addresses") or []
    port = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port") or DEFAULT_PORT
    for wanted in _ADDRESS_TYPES:
        for address in addresses:
            if address.get("type") == wanted and address.get("address"):
                return Endpoint(address["address"], int(port))
    raise InternalError(f"no preferred addresses found; known addresses: {addresses}")


def out_of_service(endpoint: Endpoint, error: Exception) -> ServiceUnavailable:
    """The error for a plain request that is passed on in vain."""
    return ServiceUnavailable(
        f"error trying to reach service: dial tcp {endpoint.authority}: {_reason(error)}"
    )


def unreachable(endpoint: Endpoint, error: Exception) -> InternalError:
    """The error for a backend that cannot be reached, as Kubernetes words it."""
    return InternalError(f"error dialing backend: dial tcp {endpoint.authority}: {_reason(error)}")


def _reason(error: BaseException) -> str:
    inner = getattr(error, "os_error", None) or error.__cause__ or error
    if isinstance(inner, ConnectionRefusedError):
        return "connect: connection refused"
    if isinstance(inner, TimeoutError):
        return "i/o timeout"
    return str(getattr(inner, "strerror", None) or inner)
