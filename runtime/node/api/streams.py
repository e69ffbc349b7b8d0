"""/exec, /attach and /portForward: which container, which protocol, who serves it."""

from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web
from cri_api.v1 import api_pb2 as cri

from kubeling.streams.takeover import Takeover
from runtime.container_runtime import ContainerRuntime
from runtime.node.api import channels, websocket_tunnel
from runtime.node.api.containers import PodLookup, find_pod, ready_sandbox, running_container
from runtime.node.api.errors import HttpError
from runtime.node.api.tunnel import tunnel

Answer = web.StreamResponse | Takeover
_TRUE = ("1", "true", "True", "t")


class PodStreams:
    def __init__(self, runtime: ContainerRuntime, pods: PodLookup) -> None:
        self._runtime = runtime
        self._pods = pods

    async def exec(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> Answer:
        """Raises HttpError, RuntimeServiceError, DialError."""
        command = request.query.getall("command", [])
        if not command:
            raise HttpError(HTTPStatus.BAD_REQUEST, "you must specify at least one command for the container")
        streams = _streams(request)
        container_id = await self._container(request, namespace, name, container)
        url = await self._runtime.exec_url(
            cri.ExecRequest(
                container_id=container_id,
                cmd=command,
                tty=streams.tty,
                stdin=streams.stdin,
                stdout=streams.stdout,
                stderr=streams.stderr and not streams.tty,
            )
        )
        return await _serve(request, url, streams)

    async def attach(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> Answer:
        """Raises HttpError, RuntimeServiceError, DialError."""
        streams = _streams(request)
        container_id = await self._container(request, namespace, name, container)
        url = await self._runtime.attach_url(
            cri.AttachRequest(
                container_id=container_id,
                tty=streams.tty,
                stdin=streams.stdin,
                stdout=streams.stdout,
                stderr=streams.stderr and not streams.tty,
            )
        )
        return await _serve(request, url, streams)

    async def port_forward(self, request: web.BaseRequest, namespace: str, name: str) -> Answer:
        """Raises HttpError, RuntimeServiceError, DialError."""
        _require_upgrade(request)
        pod = find_pod(self._pods, namespace, name)
        sandbox = await ready_sandbox(self._runtime, pod)
        ports = _ports(request)
        url = await self._runtime.port_forward_url(cri.PortForwardRequest(pod_sandbox_id=sandbox, port=ports))
        if websocket_tunnel.PROTOCOL in _protocols(request):
            return await websocket_tunnel.websocket_tunnel(request, url)
        if ports:
            url += "?" + urlencode([("port", port) for port in ports])
        return await tunnel(request, url)

    async def _container(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> str:
        _require_upgrade(request)
        pod = find_pod(self._pods, namespace, name)
        return await running_container(self._runtime, pod, container)


async def _serve(request: web.BaseRequest, url: str, streams: channels.Streams) -> Answer:
    if channels.PROTOCOL in _protocols(request):
        return await channels.translate(request, url, streams)
    return await tunnel(request, url)


def _require_upgrade(request: web.BaseRequest) -> None:
    if not request.headers.get("Upgrade"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "Upgrade request required")


def _protocols(request: web.BaseRequest) -> list[str]:
    """The WebSocket subprotocols that the client offers."""
    offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return [protocol.strip() for protocol in offered.split(",")]


def _streams(request: web.BaseRequest) -> channels.Streams:
    def flag(name: str) -> bool:
        return request.query.get(name, "") in _TRUE

    streams = channels.Streams(
        stdin=flag("input"), stdout=flag("output"), stderr=flag("error"), tty=flag("tty")
    )
    if not (streams.stdin or streams.stdout or streams.stderr):
        text = "you must specify at least 1 of stdin, stdout, stderr"
        raise HttpError(HTTPStatus.BAD_REQUEST, text)
    return streams


def _ports(request: web.BaseRequest) -> list[int]:
    """The ports that WebSocket clients name in the query; SPDY clients name them stream by stream."""
    try:
        return [int(port) for ports in request.query.getall("port", []) for port in ports.split(",")]
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "unable to parse port") from error
