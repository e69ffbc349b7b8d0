"""nodes/proxy and pods/proxy: any HTTP request to a node's agent, or to a port of a pod."""

from dataclasses import replace
from urllib.parse import urlsplit

from kubeling.objects.errors import BadRequest, ServiceUnavailable
from kubeling.objects.meta import Object
from server.api.nodes import Endpoint, Nodes
from server.api.proxy import forward
from server.api.reply import Answer
from server.api.request import Request
from server.registry.registry import Registry


class ObjectProxy:
    """Both subresources, each to be called with a request."""

    def __init__(self, registry: Registry, nodes: Nodes) -> None:
        self._registry = registry
        self._nodes = nodes

    async def node(self, request: Request) -> Answer:
        """Pass a request on to the agent of the node that the path names.

        Raises:
            ApiError: there is no such node, or it does not answer.
        """
        scheme, name, port = split_name(request.info.name)
        endpoint = await self._nodes.endpoint(name)
        if port:
            endpoint = replace(endpoint, port=int(port), secure=scheme != "http")
        return await forward(request, self._nodes, endpoint, _target(request))

    async def pod(self, request: Request) -> Answer:
        """Pass a request on to the pod that the path names, at `name:port` or its first port.

        Raises:
            ApiError: there is no such pod, it has no address, or it does not answer.
        """
        scheme, name, port = split_name(request.info.name)
        record = await self._registry.get(request.kind, request.namespace, name)
        address = (record.obj.get("status") or {}).get("podIP")
        if not address:
            raise ServiceUnavailable(f'address not allowed: pod "{name}" has no address yet')
        number = int(port) if port else _first_port(record.obj)
        return await forward(
            request, self._nodes, Endpoint(address, number, secure=scheme == "https"), _target(request)
        )


def split_name(text: str) -> tuple[str, str, str]:
    """`[scheme:]name[:port]` → scheme, name, port.

    Raises:
        BadRequest: it is none of these.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    scheme, name, port = ("", *parts) if len(parts) == 2 else parts if len(parts) == 3 else ("", "", "")
    if not name or (port and not port.isdecimal()) or scheme not in ("", "http", "https"):
        raise BadRequest(f'invalid proxy request "{text}": it must be name, name:port or scheme:name:port')
    return scheme, name, port


def _first_port(pod: Object) -> int:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            return int(port["containerPort"])
    return 80


def _target(request: Request) -> str:
    """Path and query behind `.../proxy`, as they came."""
    raw = urlsplit(request.http.raw_path)
    _, _, rest = raw.path.partition("/proxy")
    path = rest or "/"
    return f"{path}?{raw.query}" if raw.query else path
