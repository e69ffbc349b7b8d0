"""What this server's own components read from other servers: metrics, for the HorizontalPodAutoscaler.

Nothing is authorized here, as nothing is that they ask within the server; the other server sees who asks.
"""

from collections.abc import Mapping

import aiohttp
import orjson
from yarl import URL

from kubeling.client.http import failure
from kubeling.objects.errors import InternalError, NotFound, ServiceUnavailable
from kubeling.objects.meta import Object
from server.api.aggregation.connections import RemoteConnections, Unreachable, identity_headers
from server.api.aggregation.remotes import Remote, Remotes
from server.registry.context import UserInfo

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class Reading:
    """Implements `server.inprocess.Others`."""

    def __init__(self, remotes: Remotes, connections: RemoteConnections) -> None:
        self._remotes = remotes
        self._connections = connections

    async def fetch(self, user: UserInfo, path: str, parameters: Mapping[str, str]) -> Object:
        parts = path.strip("/").split("/")
        remote = self._remotes.find((parts[1], parts[2])) if len(parts) > 2 else None
        if remote is None:
            raise NotFound("the server could not find the requested resource")
        if not remote.available:
            raise ServiceUnavailable("the server is currently unable to handle the request")
        try:
            return await self._ask(remote, user, URL(path).with_query(dict(parameters)))
        except (Unreachable, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceUnavailable(f"error trying to reach service: {error}") from error

    async def _ask(self, remote: Remote, user: UserInfo, target: URL) -> Object:
        url = URL(self._connections.address(remote)).join(target)
        async with self._connections.session.get(
            url,
            headers=[("Host", remote.host), ("Accept", "application/json"), *identity_headers(user)],
            ssl=self._connections.tls(remote),
            server_hostname=None if remote.insecure else remote.host,
            allow_redirects=False,
            timeout=_TIMEOUT,
        ) as answer:
            body = await answer.read()
            return _decoded(answer.status, body)


def _decoded(status: int, body: bytes) -> Object:
    if status >= 300:
        raise failure(status, body)
    try:
        found: Object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InternalError(f"the answer is not JSON: {error}") from error
    return found
