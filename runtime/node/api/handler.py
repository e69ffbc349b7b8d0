"""Every request of the kubelet API: who asks, what is meant, and what becomes of errors."""

import logging
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from kubeling.streams.errors import DialError
from runtime.container_runtime import ContainerRuntime
from runtime.errors import NodeError
from runtime.node.api.commands import Commands
from runtime.node.api.container_logs import ContainerLogs
from runtime.node.api.containers import PodLookup
from runtime.node.api.errors import HttpError, answer
from runtime.node.api.gate import Gate
from runtime.node.api.health import health, health_check
from runtime.node.api.images import Images
from runtime.node.api.routes import Answer, Handler, Route, Routes, find, parts_of
from runtime.node.api.streams import PodStreams

logger = logging.getLogger(__name__)


class Requests:
    """Called with each request; `routes` are by the path's first part."""

    def __init__(self, routes: Routes, gate: Gate) -> None:
        self._routes = routes
        self._gate = gate

    async def __call__(self, request: web.BaseRequest) -> Answer:
        parts = parts_of(request)
        try:
            await self._gate.admit(request, parts[0])
            return await find(self._routes, request.method, parts)(request, *parts[1:])
        except ConnectionError:  # the client has gone
            raise
        except (HttpError, NodeError, DialError) as error:
            return _refusal(request, answer(error), error)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.path)
            response = web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text="internal error")
            return _refusal(request, response, error)


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
        gate: Gate,
        pages: Routes,
    ) -> None:
        """`pages` are what the node tells of itself."""
        commands = Commands(runtime, pods)
        own = {
            "images": [Route(("GET",), 0, images.list), Route(("POST",), 0, images.load)],
            "run": [Route(("POST",), 3, commands.run), Route(("POST",), 4, _by_uid(commands.run))],
            "checkpoint": [Route(("POST",), 3, commands.checkpoint)],
        }
        super().__init__({**kubelet_routes(pods, logs, streams), **own, **pages}, gate)


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
        "healthz": [Route(("GET", "HEAD"), 0, health), Route(("GET", "HEAD"), 1, health_check)],
        "pods": [Route(("GET",), 0, list_pods)],
        "containerLogs": [Route(("GET",), 3, logs)],
        "exec": [Route(upgrade, 3, streams.exec), Route(upgrade, 4, _by_uid(streams.exec))],
        "attach": [Route(upgrade, 3, streams.attach), Route(upgrade, 4, _by_uid(streams.attach))],
        "portForward": [
            Route(upgrade, 2, streams.port_forward),
            Route(upgrade, 3, _by_uid(streams.port_forward)),
        ],
    }


def _by_uid(handler: Handler) -> Handler:
    """The same with the pod's uid after its name, which says nothing more."""

    async def served(request: web.BaseRequest, namespace: str, name: str, uid: str, *rest: str) -> Answer:
        return await handler(request, namespace, name, *rest)

    return served


def _refusal(request: web.BaseRequest, response: web.Response, error: Exception) -> web.Response:
    """The response, unless another has begun: then cutting the connection is all that tells of the error."""
    if request.writer.output_size > 0:
        raise ConnectionError("failed in the middle of the response") from error
    return response
