"""Requests for what other servers answer, passed on in the name of who asks."""

from dataclasses import dataclass

from aiohttp import ClientError, web
from multidict import CIMultiDict
from yarl import URL

from server.api.aggregation.connections import RemoteConnections, Unreachable, identity_headers
from server.api.aggregation.remotes import Remote, Remotes
from server.api.proxy import body_of, relay, sent_headers
from server.api.reply import Answer, Headers, Reply
from server.api.requestinfo import RequestInfo
from server.api.upgrades import wants_upgrade
from server.registry.context import UserInfo


@dataclass(frozen=True, slots=True)
class _Asked:
    http: web.BaseRequest
    stream_headers: Headers


class Forwarding:
    def __init__(self, remotes: Remotes, connections: RemoteConnections) -> None:
        self._remotes = remotes
        self._connections = connections

    def find(self, info: RequestInfo) -> Remote | None:
        """Who answers a request; None when this server does itself."""
        if not self._remotes:
            return None
        if info.is_resource:
            return self._remotes.find((info.group, info.version))
        parts = info.path.strip("/").split("/")
        if parts[:2] == ["openapi", "v3"]:
            parts = parts[2:] if len(parts) == 5 else []
        return self._remotes.find((parts[1], parts[2])) if len(parts) > 2 and parts[0] == "apis" else None

    async def answer(self, http: web.BaseRequest, remote: Remote, user: UserInfo, audit_id: str) -> Answer:
        """The other server's answer; 503 when it is known to be away, or turns out to be."""
        if not remote.available or wants_upgrade(http):
            return unavailable()
        try:
            url = URL(self._connections.address(remote) + http.raw_path, encoded=True)
            async with self._connections.session.request(
                http.method,
                url,
                headers=_headers(http, user, remote),
                data=body_of(http) if http.can_read_body else None,
                ssl=self._connections.tls(remote),
                server_hostname=None if remote.insecure else remote.host,
                allow_redirects=False,
            ) as answer:
                return await relay(_Asked(http, (("Audit-Id", audit_id),)), answer)
        except Unreachable:
            return unavailable()
        except (ClientError, TimeoutError, OSError) as error:
            if http.writer.output_size:
                raise ConnectionError("the other server broke off") from error
            return _text(503, f"error trying to reach service: {error}")


def _headers(http: web.BaseRequest, user: UserInfo, remote: Remote) -> "CIMultiDict[str]":
    """What came, without anything that says who asks; then who really does."""
    found = [(name, value) for name, value in sent_headers(http) if not name.lower().startswith("x-remote-")]
    return CIMultiDict([*found, ("Host", remote.host), *identity_headers(user)])


def unavailable() -> Reply:
    return _text(503, "service unavailable")


def _text(status: int, text: str) -> Reply:
    headers = (("X-Content-Type-Options", "nosniff"),)
    content_type = "text/plain; charset=utf-8"
    return Reply(f"{text}\n".encode(), status=status, content_type=content_type, headers=headers)
