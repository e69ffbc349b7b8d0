"""Plain HTTP through the server to a node or a pod: bodies stream through both ways, nothing is kept."""

from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, web
from yarl import URL

from server.api.backends import Connections
from server.api.connection import connection_of
from server.api.links import Page, Way
from server.api.nodes import Endpoint, out_of_service
from server.api.reply import Answer, Headers, Reply, Stream
from server.api.request import Request
from server.api.tunnel import is_credential, tunnel
from server.api.upgrades import wants_upgrade

_PIECE = 64 * 1024
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_NOT_SENT = _HOP_BY_HOP | {"host"}
_NOT_ANSWERED = _HOP_BY_HOP | {"content-length", "content-type", "date", "cache-control"}


async def forward(request: Request, connections: Connections, endpoint: Endpoint, target: str) -> Answer:
    """Pass the request on to `target` (path and query) at an endpoint, and its answer back.

    The root is asked for as `/`: who leaves the slash out is sent there, so that relative links work.

    Raises:
        ServiceUnavailable: nobody answers there.
    """
    http = request.http
    path = target.partition("?")[0]
    if wants_upgrade(http):
        return await tunnel(http, connections, endpoint, target if path else f"/{target}")
    if not path and http.method in ("GET", "HEAD"):
        return _to_root(request, target)
    target = target if path else f"/{target}"
    headers = sent_headers(http)
    body = body_of(http) if http.can_read_body else None
    try:
        async with connections.session.request(
            http.method,
            URL(endpoint.url + target, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
        ) as answer:
            return await relay(request, answer, way=_way(request, endpoint))
    except ClientError as error:
        if http.writer.output_size:
            raise ConnectionError("the backend broke off") from error
        raise out_of_service(endpoint, error) from error


def _way(request: Request, endpoint: Endpoint) -> Way:
    own = f"/{request.info.name}/proxy"
    prefix = request.info.path[: request.info.path.index(own)] + own
    return Way(prefix, frozenset({endpoint.authority, endpoint.host}), request.http.host)


def sent_headers(http: web.BaseRequest) -> list[tuple[str, str]]:
    """What is passed on of a request's headers."""
    return [
        (name, value)
        for name, value in http.headers.items()
        if name.lower() not in _NOT_SENT and not is_credential(name)
    ]


def _to_root(request: Request, query: str) -> Reply:
    path = quote("/" + request.info.path.lstrip("/"), safe="/:")
    return Reply(status=301, content_type="", headers=(("Location", f"{path}/{query}"),))


class Asked(Protocol):
    """A request that is passed on."""

    @property
    def http(self) -> web.BaseRequest: ...

    @property
    def stream_headers(self) -> Headers: ...


async def relay(request: Asked, answer: ClientResponse, *, way: Way | None = None) -> Answer:
    """The backend's answer as ours, piece by piece; its links lead the `way` that it was reached by."""
    headers: Headers = tuple(
        (name, way.link(value) if way is not None and name.lower() == "location" else value)
        for name, value in answer.headers.items()
        if name.lower() not in _NOT_ANSWERED
    )
    content_type = answer.headers.get("Content-Type", "")
    if request.http.method == "HEAD" or answer.status in (204, 304):
        return Reply(status=answer.status, content_type=content_type, headers=headers)
    out = Stream(request.http, status=answer.status)
    with connection_of(request.http).ending(answer.close):
        await out.begin(request.http, content_type=content_type, headers=(*request.stream_headers, *headers))
        async for piece in _pieces(answer, way):
            await out.send(piece)
        await out.end(request.http)
    return out


async def _pieces(answer: ClientResponse, way: Way | None) -> AsyncIterator[bytes]:
    """What the backend says; a page that redirects, or is packed, stays as it is."""
    plain = answer.content_type == "text/html" and "Content-Encoding" not in answer.headers
    page = Page(way) if way is not None and plain and "Location" not in answer.headers else None
    async for piece in answer.content.iter_any():
        if changed := page.feed(piece) if page is not None else piece:
            yield changed
    if page is not None and (rest := page.rest()):
        yield rest


async def body_of(http: web.BaseRequest) -> AsyncIterator[bytes]:
    while piece := await http.content.read(_PIECE):
        yield piece
