"""Which handler answers which path: by its first part, the number of parts after it, and the method."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from aiohttp import web

from kubeling.streams.takeover import Takeover
from runtime.node.api.errors import HttpError

Answer = web.StreamResponse | Takeover
Handler = Callable[..., Awaitable[Answer]]
ANY = -1
"""Any number of parts."""


class Route(NamedTuple):
    """`parameters` is the number of the path's parts after its first, which are given to the handler."""

    methods: tuple[str, ...]
    parameters: int
    handler: Handler


Routes = Mapping[str, Sequence[Route]]


def parts_of(request: web.BaseRequest) -> list[str]:
    """The path's parts, decoded after it was divided."""
    return [unquote(part) for part in request.rel_url.raw_path.strip("/").split("/")]


def find(routes: Routes, method: str, parts: Sequence[str]) -> Handler:
    """Raises HttpError 404 or 405."""
    first, *parameters = parts
    found = [route for route in routes.get(first, []) if route.parameters in (len(parameters), ANY)]
    if not found:
        raise HttpError(HTTPStatus.NOT_FOUND, "404 page not found")
    for route in found:
        if method in route.methods:
            return route.handler
    raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "405: Method Not Allowed")
