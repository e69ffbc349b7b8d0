"""Upgraded connections (exec, attach, port-forward) to a node, and logs that are followed: two heads, then
bytes that pass untouched.

The backend's answer is read before anything is spliced: only a 101 makes a tunnel. On any other answer the
client gets a Status or a log, and never a connection on which it could send the node requests of its own.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from kubeling.objects.errors import ApiError, BadRequest, InternalError
from kubeling.streams.dial import UpgradeAnswer, dial_upgrade
from kubeling.streams.errors import DialError
from kubeling.streams.splice import Ends, close, pour, splice
from kubeling.streams.takeover import Takeover
from server.api.backends import Connections
from server.api.connection import connection_of
from server.api.nodes import Endpoint, unreachable
from server.api.reply import Headers, head
from server.api.upgrades import protocols, wants_upgrade

_NOT_FORWARDED = frozenset({"host", "content-length", "transfer-encoding"})
_PROTOCOLS = "sec-websocket-protocol"


def is_credential(header: str) -> bool:
    """Whether a header says who asks: that was for this server."""
    name = header.lower()
    return name == "authorization" or name.startswith("impersonate-")


async def tunnel(
    http: web.BaseRequest, connections: Connections, endpoint: Endpoint, target: str
) -> Takeover:
    """Pass an upgrade request on to `target` (path and query) and then everything that both sides say.

    Raises:
        BadRequest: this is no upgrade request.
        ApiError: the backend does not answer, or refuses.
    """
    if not wants_upgrade(http):
        raise BadRequest("Upgrade request required")
    headers = [
        (name, ", ".join(protocols(value)) if name.lower() == _PROTOCOLS else value)
        for name, value in http.headers.items()
        if name.lower() not in _NOT_FORWARDED and not is_credential(name)
    ]
    tls = connections.tls() if endpoint.secure else None
    try:
        answer = await dial_upgrade(endpoint.url + target, method=http.method, headers=headers, tls=tls)
    except DialError as error:
        raise unreachable(endpoint, error) from error
    if answer.ends is None:
        raise refusal(answer.status, answer.body, failed="unable to upgrade connection: ")
    return await _pass(http, answer.head(), answer.ends, splice)


async def stream(
    http: web.BaseRequest, connections: Connections, endpoint: Endpoint, target: str, *, headers: Headers
) -> Takeover:
    """Pass on a node's endless answer to a GET of `target` as it is framed there, byte by byte: a log that is
    followed. The client's connection ends with it. `headers` are the server's own.

    Raises:
        ApiError: the node does not answer, or refuses.
    """
    tls = connections.tls() if endpoint.secure else None
    wanted = [("Accept", "*/*"), ("Connection", "close")]
    try:
        answer = await dial_upgrade(
            endpoint.url + target, method="GET", headers=wanted, tls=tls, hoped=HTTPStatus.OK
        )
    except DialError as error:
        raise unreachable(endpoint, error) from error
    if answer.ends is None:
        raise refusal(answer.status, answer.body)
    content_type = answer.headers.get("Content-Type", "text/plain")
    begin = head(HTTPStatus.OK, content_type, headers, framing=_framing(answer) + "Connection: close\r\n")
    return await _pass(http, begin, answer.ends, lambda client, backend: pour(backend, client))


def _framing(answer: UpgradeAnswer) -> str:
    """How the body's end is known: by itself, or else by the connection's."""
    names = ("Transfer-Encoding", "Content-Length")
    return "".join(f"{name}: {answer.headers[name]}\r\n" for name in names if name in answer.headers)


async def _pass(
    http: web.BaseRequest, begin: bytes, backend: Ends, join: Callable[[Ends, Ends], Awaitable[None]]
) -> Takeover:
    """`begin` is what the client is told first."""
    try:
        client = Takeover(http)
        try:
            client.writer.write(begin)
            with connection_of(http).ending(backend.writer.close):
                await join(Ends(client.reader, client.writer), backend)
        finally:
            await client.close()
        return client
    finally:
        await close(backend.writer)


def refusal(code: int, body: bytes, *, failed: str = "") -> ApiError:
    """The error for a backend's failure: its own Status, or one made of its text, after what `failed`."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, Mapping) and document.get("kind") == "Status":
        return ApiError.from_status(dict(document))
    if code >= 500:
        text = failed + text
        return InternalError(f"Internal error occurred: {text}", details={"causes": [{"message": text}]})
    return ApiError.from_status({"code": code, "message": text})
