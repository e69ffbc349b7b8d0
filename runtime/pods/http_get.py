"""An HTTP GET at a container, for hooks and probes: any status from 200 to 399 is a success.

Redirects are followed while they stay on the same host; the answer of the last one counts.
"""

import asyncio
import os
import ssl
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from kubeling.objects.meta import Object

if TYPE_CHECKING:
    import aiohttp
    from multidict import CIMultiDict

LONGEST_BODY = 10 * 1024
MOST_REDIRECTS = 10
AGENT = "kube-probe/1.37"
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_REDIRECTS = (
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)
_ONCE = frozenset({"host", "user-agent", "accept"})


class HttpFailed(Exception):
    """No answer, or one that says no."""


class HttpRefused(HttpFailed):
    """An answer that says no."""


class NoSuchPort(HttpFailed):
    """There is nothing to ask."""


class Answer(NamedTuple):
    status: int
    body: str
    """The beginning of it."""

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client elsewhere, where it does not go."""
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST


async def http_get(action: Object, container: Object, host: str, *, timeout: float) -> Answer:
    """The answer of a success.

    Raises:
        HttpFailed: the text is what the kubelet's events say.
    """
    import aiohttp

    target = url(action, container, host)
    try:
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            auto_decompress=False,
        ) as session:
            async with asyncio.timeout(timeout):
                answer = await _follow(session, target, _headers(action.get("httpHeaders") or []))
    except TimeoutError as error:
        raise HttpFailed(
            f'Get "{target}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpFailed(f'Get "{target}": {_reason(error, target)}') from error
    if not HTTPStatus.OK <= answer.status < HTTPStatus.BAD_REQUEST:
        raise HttpRefused(f"HTTP probe failed with statuscode: {answer.status}")
    return answer


async def _follow(session: "aiohttp.ClientSession", target: str, headers: "CIMultiDict[str]") -> Answer:
    from yarl import URL

    place = first = URL(target)
    for _ in range(MOST_REDIRECTS):
        async with session.get(place, headers=headers, ssl=_unverified(), allow_redirects=False) as answer:
            onward = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            place = place.join(URL(onward)) if onward else place
            if not onward or place.host != first.host:
                return Answer(answer.status, await _beginning(answer))
    raise HttpFailed(f'Get "{place}": stopped after {MOST_REDIRECTS} redirects')


async def _beginning(answer: "aiohttp.ClientResponse") -> str:
    read = bytearray()
    while len(read) < LONGEST_BODY and (piece := await answer.content.read(LONGEST_BODY - len(read))):
        read += piece
    return read.decode(errors="replace")


def _headers(given: Iterable[Object]) -> "CIMultiDict[str]":
    """A header may be given several times; an empty one of those that are set by default takes it away."""
    from multidict import CIMultiDict

    headers = CIMultiDict({"User-Agent": AGENT, "Accept": "*/*", "Connection": "close"})
    for each in given:
        if each["name"].lower() in _ONCE:
            headers.popall(each["name"], None)
        headers.add(each["name"], each.get("value") or "")
    for name in ("User-Agent", "Accept"):
        if not headers.get(name):
            headers.popall(name, None)
    return headers


async def tcp_open(host: str, port: int, *, timeout: float) -> None:
    """Raises: HttpFailed."""
    place = f"{bracketed(host)}:{port}"
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise HttpFailed(f"dial tcp {place}: i/o timeout") from error
    except OSError as error:
        raise HttpFailed(f"dial tcp {place}: connect: {_os_reason(error)}") from error
    writer.close()


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def url(action: Object, container: Object, host: str) -> str:
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    address = bracketed(action.get("host") or host)
    path = path if path.startswith("/") else f"/{path}"
    return f"{scheme}://{address}:{port_number(action['port'], container)}{path}"


def port_number(port: int | str, container: Object) -> int:
    """A port's number; a name is looked up among the container's ports.

    Raises:
        NoSuchPort: the container has no port of that name.
    """
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for each in container.get("ports") or []:
        if each.get("name") == port:
            return int(each["containerPort"])
    raise NoSuchPort(f"couldn't find port: {port}")


@cache
def _unverified() -> ssl.SSLContext:
    """The kubelet does not check certificates of what it probes, nor what TLS it speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception, target: str) -> str:
    inner = getattr(error, "os_error", None)
    if isinstance(inner, ssl.SSLError) and inner.reason in _NO_TLS:
        return "http: server gave HTTP response to HTTPS client"
    if isinstance(inner, OSError):
        place = target.split("/")[2]
        return f"dial tcp {place}: connect: {_os_reason(inner)}"
    if type(error).__name__ == "ServerDisconnectedError":
        return "EOF"
    return str(error) or type(error).__name__


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
