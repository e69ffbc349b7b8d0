"""A client of one API server over HTTP. Nothing is retried here: informers and runners do that.

What aiohttp raises becomes `ConnectionLost`; the verbs are `rest`'s.
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, Self

import aiohttp

from kubeling.client.errors import ConnectionLost
from kubeling.client.kubeconfig import Connection, read_connection
from kubeling.client.rest import WATCH_SECONDS, RestClient
from kubeling.objects.clock import Clock, SystemClock
from kubeling.version import VERSION

REQUESTS = 8
"""That are under way at a time, watches apart: more would make the server's other clients wait, and cost a
handshake each."""
KEPT_SECONDS = 75.0
"""How long an idle connection is kept: less than the server keeps it."""
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=WATCH_SECONDS + 30)

_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)


class HttpClient(RestClient):
    """Implements `Client`; connections are reused. Make it inside a running event loop and `close` it."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        user_agent: str = "kubeling",
    ) -> None:
        super().__init__(clock=clock or SystemClock(), name="http-client")
        self.server = connection.server
        self.answered: Counter[tuple[str, int]] = Counter()
        """Requests by method and status."""
        context = connection.ssl_context() if connection.server.startswith("https:") else True
        self._server_name = connection.server_name or None
        self._turns = asyncio.Semaphore(REQUESTS)
        headers = {"User-Agent": f"{user_agent}/{VERSION}", "Accept": "application/json"}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=context, limit=0, keepalive_timeout=KEPT_SECONDS, socket_factory=_socket
            ),
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
        cls,
        file: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        user_agent: str = "kubeling",
    ) -> Self:
        """Raises: KubeconfigError."""
        return cls(read_connection(file), clock=clock, user_agent=user_agent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        target: str,
        *,
        data: bytes | None,
        headers: Mapping[str, str],
        parameters: Mapping[str, str],
        watching: bool,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with nullcontext() if watching else self._turns:
            with _connection_errors(self.server):
                async with self._session.request(
                    method,
                    self.server + target,
                    data=data,
                    headers=headers,
                    params=parameters,
                    timeout=WATCH_TIMEOUT if watching else REQUEST_TIMEOUT,
                    server_hostname=self._server_name,
                ) as response:
                    self.answered[method, response.status] += 1
                    yield response

    async def close(self) -> None:
        await super().close()
        await self._session.close()


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
