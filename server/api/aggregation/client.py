"""What this server's own components ask of other servers: metrics, and the content of namespaces that go.

Nothing is authorized here, as nothing is that they ask within the server; the other server sees who asks.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from kubeling.client.discovery import preferred
from kubeling.client.protocol import Discovery
from kubeling.client.resources import Resource
from kubeling.client.rest import WATCH_SECONDS, RestClient
from kubeling.objects.clock import Clock
from kubeling.objects.errors import NotFound, ServiceUnavailable
from server.api.aggregation.connections import RemoteConnections, Unreachable, identity_headers
from server.api.aggregation.remotes import Remote, Remotes
from server.registry.context import UserInfo

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=WATCH_SECONDS + 30)


class RemoteApis:
    """Implements `server.inprocess.Others`."""

    def __init__(self, remotes: Remotes, connections: RemoteConnections, clock: Clock) -> None:
        self._remotes = remotes
        self._connections = connections
        self._clock = clock

    def serves(self, group: str, version: str) -> bool:
        return self._remotes.find((group, version)) is not None

    async def discovery(self) -> Discovery:
        """Of a server that is away it is only known that there is more."""
        every = [each for remote in self._remotes.all() if remote.available for each in _resources(remote)]
        away = [f"{each.group}/{each.version}" for each in self._remotes.all() if not each.available]
        return Discovery(
            preferred(every), every, {place: f"stale GroupVersion discovery: {place}" for place in away}
        )

    def client(self, user: UserInfo) -> "RemoteClient":
        return RemoteClient(self._remotes, self._connections, user, clock=self._clock)


class RemoteClient(RestClient):
    """Each request goes to the server that has its group and version. The connections are not its own."""

    def __init__(
        self, remotes: Remotes, connections: RemoteConnections, user: UserInfo, *, clock: Clock
    ) -> None:
        super().__init__(clock=clock, name=f"remote-{user.name}")
        self._remotes = remotes
        self._connections = connections
        self._user = user

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
        remote = self._remote(target)
        try:
            url = URL(self._connections.address(remote)).join(URL(target).with_query(dict(parameters)))
            async with self._connections.session.request(
                method,
                url,
                data=data,
                headers=self._headers(remote, headers),
                ssl=self._connections.tls(remote),
                server_hostname=None if remote.insecure else remote.host,
                allow_redirects=False,
                timeout=_WATCH_TIMEOUT if watching else _TIMEOUT,
            ) as answer:
                yield answer
        except (Unreachable, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceUnavailable(f"error trying to reach service: {error}") from error

    def _remote(self, target: str) -> Remote:
        parts = target.strip("/").split("/")
        remote = self._remotes.find((parts[1], parts[2])) if len(parts) > 2 else None
        if remote is None:
            raise NotFound("the server could not find the requested resource")
        if not remote.available:
            raise ServiceUnavailable("the server is currently unable to handle the request")
        return remote

    def _headers(self, remote: Remote, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        given = {"Accept": "application/json", **headers}
        return [("Host", remote.host), *given.items(), *identity_headers(self._user)]


def _resources(remote: Remote) -> list[Resource]:
    return [
        Resource(
            str(each.get("group") or remote.group),
            str(each.get("version") or remote.version),
            str(each["name"]),
            str(each.get("kind") or ""),
            bool(each.get("namespaced")),
            frozenset(each.get("verbs") or ()),
        )
        for each in remote.resources
        if "/" not in str(each["name"])
    ]
