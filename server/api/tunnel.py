"""Upgraded connections (exec, attach, port-forward) to a node: two heads, then bytes that pass untouched.

The backend's answer is read before anything is spliced: only a 101 makes a tunnel. On any other answer the
client gets a Status, and never a connection on which it could send the node requests of its own.
"""

import json
from collections.abc import Mapping

from aiohttp import web

from kubeling.objects.errors import ApiError, BadRequest, InternalError
from kubeling.streams.dial import UpgradeAnswer, dial_upgrade
from kubeling.streams.errors import DialError
from kubeling.streams.splice import Ends, close, splice
from kubeling.streams.takeover import Takeover
from server.api.backends import Connections
from server.api.connection import connection_of
from server.api.nodes import Endpoint, unreachable
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
    return await _pass(http, answer, answer.ends)


async def _pass(http: web.BaseRequest, answer: UpgradeAnswer, backend: Ends) -> Takeover:
    try:
        client = Takeover(http)
        try:
            client.writer.write(answer.head())
            with connection_of(http).ending(backend.writer.close):
                await splice(Ends(client.reader, client.writer), backend)
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
