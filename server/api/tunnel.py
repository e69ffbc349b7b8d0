"""Upgraded connections (exec, attach, port-forward) to a node: two heads, then bytes that pass untouched.

The backend's answer is read before anything is spliced: only a 101 makes a tunnel. On any other answer the
client gets a Status, and never a connection on which it could send the node requests of its own.
"""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from kubeling.objects.errors import ApiError, BadRequest, InternalError
from kubeling.streams.splice import Ends, close, splice
from kubeling.streams.takeover import Takeover
from server.api.nodes import Endpoint, Nodes

_MAX_HEAD = 64 * 1024
_MAX_ERROR = 64 * 1024
_ANSWER_SECONDS = 30.0
_NOT_FORWARDED = frozenset({"authorization", "host", "content-length", "transfer-encoding"})


def wants_upgrade(http: web.BaseRequest) -> bool:
    tokens = [token.strip().lower() for token in http.headers.get("Connection", "").split(",")]
    return "upgrade" in tokens and "Upgrade" in http.headers


async def tunnel(http: web.BaseRequest, nodes: Nodes, endpoint: Endpoint, target: str) -> Takeover:
    """Pass an upgrade request on to `target` (path and query) and then everything that both sides say.

    Raises:
        BadRequest: this is no upgrade request.
        ApiError: the backend does not answer, or refuses.
    """
    if not wants_upgrade(http):
        raise BadRequest("Upgrade request required")
    backend = await nodes.dial(endpoint)
    try:
        backend.writer.write(_request_head(http, endpoint, target))
        answer = await _answer_head(backend)
        if _status(answer) != HTTPStatus.SWITCHING_PROTOCOLS:
            raise refusal(_status(answer), await _error_body(backend))
        client = Takeover(http)
        try:
            client.writer.write(answer)
            await splice(Ends(client.reader, client.writer), backend)
        finally:
            await client.close()
        return client
    finally:
        await close(backend.writer)


def _request_head(http: web.BaseRequest, endpoint: Endpoint, target: str) -> bytes:
    lines = [f"{http.method} {target} HTTP/1.1", f"Host: {endpoint.authority}"]
    lines += [
        f"{name}: {value}" for name, value in http.headers.items() if name.lower() not in _NOT_FORWARDED
    ]
    if http.method != "GET":
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


async def _answer_head(backend: Ends) -> bytes:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await backend.reader.readuntil(b"\r\n\r\n")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise InternalError(f"error dialing backend: no answer to the upgrade request: {error}") from error


def _status(head: bytes) -> int:
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 502


async def _error_body(backend: Ends) -> bytes:
    """What can be read of a refusal's body in a moment; its framing does not matter for a message."""
    body = b""
    try:
        async with asyncio.timeout(0.5):
            while len(body) < _MAX_ERROR and (piece := await backend.reader.read(_MAX_ERROR)):
                body += piece
    except (OSError, TimeoutError):
        pass
    return body


def refusal(code: int, body: bytes) -> ApiError:
    """The error for a backend's failure: its own Status, or one made of its text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, Mapping) and document.get("kind") == "Status":
        return ApiError.from_status(dict(document))
    if code >= 500:
        return InternalError(f"Internal error occurred: {text}", details={"causes": [{"message": text}]})
    return ApiError.from_status({"code": code, "message": text})
