"""Every request of the kubelet API: who asks, what is meant, and what becomes of errors."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from aiohttp import web

from kubeling.streams.errors import DialError
from kubeling.streams.takeover import Takeover
from runtime.container_runtime import ContainerRuntime
from runtime.errors import NodeError
from runtime.node.api.authentication import authorize
from runtime.node.api.container_logs import ContainerLogs
from runtime.node.api.containers import PodLookup
from runtime.node.api.errors import HttpError, answer
from runtime.node.api.images import Images
from runtime.node.api.streams import PodStreams

logger = logging.getLogger(__name__)

Answer = web.StreamResponse | Takeover
Handler = Callable[..., Awaitable[Answer]]


class Route(NamedTuple):
    """`parameters` are the path's parts after its first, given to the handler in order."""

    methods: tuple[str, ...]
    parameters: int
    handler: Handler


class Requests:
    """Called with each request; `routes` are by the path's first part."""

    def __init__(self, routes: Mapping[str, Sequence[Route]]) -> None:
        self._routes = routes

    async def __call__(self, request: web.BaseRequest) -> Answer:
        try:
            authorize(request)
            handler, parameters = self._find(request)
            return await handler(request, *parameters)
        except ConnectionError:  # the client has gone
            raise
        except (HttpError, NodeError, DialError) as error:
            return _refusal(request, answer(error), error)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.path)
            response = web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text="internal error")
            return _refusal(request, response, error)

    def _find(self, request: web.BaseRequest) -> tuple[Handler, list[str]]:
        first, *parameters = [unquote(part) for part in request.rel_url.raw_path.strip("/").split("/")]
        routes = [route for route in self._routes.get(first, []) if route.parameters == len(parameters)]
        if not routes:
            raise HttpError(HTTPStatus.NOT_FOUND, "404 page not found")
        for route in routes:
            if request.method in route.methods:
                return route.handler, parameters
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "405: Method Not Allowed")


class KubeletHandler(Requests):
    """The requests to a node that runs containers."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        pods: PodLookup,
        *,
        logs: ContainerLogs,
        streams: PodStreams,
        images: Images,
    ) -> None:
        own = {"images": [Route(("GET",), 0, images.list), Route(("POST",), 0, images.load)]}
        super().__init__(kubelet_routes(pods, logs, streams) | own)


class Streams(Protocol):
    async def exec(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> Answer: ...

    async def attach(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> Answer: ...

    async def port_forward(self, request: web.BaseRequest, namespace: str, name: str) -> Answer: ...


def kubelet_routes(pods: PodLookup, logs: Handler, streams: Streams) -> dict[str, list[Route]]:
    """What every kubelet answers."""
    upgrade = ("GET", "POST")

    async def list_pods(request: web.BaseRequest) -> Answer:
        listing = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods.pods())}
        return web.json_response(listing)

    return {
        "healthz": [Route(("GET", "HEAD"), 0, _healthz)],
        "pods": [Route(("GET",), 0, list_pods)],
        "containerLogs": [Route(("GET",), 3, logs)],
        "exec": [Route(upgrade, 3, streams.exec)],
        "attach": [Route(upgrade, 3, streams.attach)],
        "portForward": [Route(upgrade, 2, streams.port_forward)],
    }


async def _healthz(request: web.BaseRequest) -> Answer:
    return web.Response(text="ok")


def _refusal(request: web.BaseRequest, response: web.Response, error: Exception) -> web.Response:
    """The response, unless another has begun: then cutting the connection is all that tells of the error."""
    if request.writer.output_size > 0:
        raise ConnectionError("failed in the middle of the response") from error
    return response
