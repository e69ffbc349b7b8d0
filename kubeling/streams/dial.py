"""Asks a backend to upgrade a connection, as exec, attach and port-forward do, or for an endless answer.

Responsible for one HTTP/1.1 request whose answer is either the one that was hoped for (then the bare
connection is handed over) or an ordinary response (then its whole body). Not a general HTTP client.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from multidict import CIMultiDict

from kubeling.streams.errors import DialError
from kubeling.streams.splice import Ends, close, keep_alive

ANSWER_TIMEOUT = 30.0  # seconds
_MAX_HEAD = 64 * 1024
_MAX_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UpgradeAnswer:
    """`ends` is the connection after the hoped-for answer, else None; `body` is what came instead."""

    status: int
    reason: str
    headers: CIMultiDict[str]
    ends: Ends | None = None
    body: bytes = b""

    def head(self) -> bytes:
        """The answer's head, to be passed on."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def dial_upgrade(
    url: str,
    *,
    method: str,
    headers: Iterable[tuple[str, str]],
    tls: ssl.SSLContext | None = None,
    timeout: float = ANSWER_TIMEOUT,
    hoped: HTTPStatus = HTTPStatus.SWITCHING_PROTOCOLS,
) -> UpgradeAnswer:
    """Send a request with exactly these headers (and Host) to `url` and read the answer's head.

    Raises DialError when there is no connection or no answer.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _dial(url, method, headers, tls, hoped)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise DialError(f"error dialing backend: {error or type(error).__name__}") from error


async def _dial(
    url: str,
    method: str,
    headers: Iterable[tuple[str, str]],
    tls: ssl.SSLContext | None,
    hoped: HTTPStatus,
) -> UpgradeAnswer:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=tls, limit=_MAX_HEAD)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += ["Content-Length: 0"] if method != "GET" else []
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        status, reason, found = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        if status == hoped:
            keep_alive(writer)
            return UpgradeAnswer(status, reason, found, ends=Ends(reader, writer))
        body = await _body(reader, found)
    except BaseException:
        writer.close()
        raise
    await close(writer)
    return UpgradeAnswer(status, reason, found, body=body)


def _parse_head(head: bytes) -> tuple[int, str, CIMultiDict[str]]:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    version, _, rest = first.partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not code.isdigit():
        raise ValueError(f"not an HTTP answer: {first[:80]!r}")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip())
    return int(code), reason, headers


async def _body(reader: asyncio.StreamReader, headers: CIMultiDict[str]) -> bytes:
    """At most `_MAX_BODY` bytes of an ordinary answer's body."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return await _chunks(reader)
    if "Content-Length" in headers:
        return await reader.readexactly(min(int(headers["Content-Length"]), _MAX_BODY))
    body = b""
    while len(body) < _MAX_BODY and (piece := await reader.read(_MAX_BODY)):
        body += piece
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < _MAX_BODY:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            break
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return body
