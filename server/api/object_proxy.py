"""nodes/proxy, pods/proxy, services/proxy: any HTTP request to a node's agent, to a pod or to a Service."""

import random
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest, ServiceUnavailable
from kubeling.objects.meta import Object
from server.api.nodes import Endpoint, Nodes
from server.api.proxy import forward
from server.api.reply import Answer
from server.api.request import Request
from server.registry.options import ListOptions, Selection
from server.registry.registry import Registry


class ObjectProxy:
    """The subresources, each to be called with a request."""

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

    async def service(self, request: Request) -> Answer:
        """Pass a request on to one of the ready endpoints of a Service, at its port of that name or number.

        Raises:
            ApiError: there is no such Service or port, or nobody serves it.
        """
        scheme, name, port = split_name(request.info.name, named_ports=True)
        record = await self._registry.get(request.kind, request.namespace, name)
        wanted = _port_name(record.obj, port)
        slices = self._registry.kinds.lookup("discovery.k8s.io", "v1", "endpointslices")
        assert slices is not None
        selection = ListOptions(Selection.parse(f"kubernetes.io/service-name={name}"))
        found = await self._registry.list(slices, request.namespace, selection)
        ready = [each for record in found.records for each in _serving(record.obj, wanted)]
        if not ready:
            raise ServiceUnavailable(f'no endpoints available for service "{name}"')
        address, number = random.choice(ready)
        endpoint = Endpoint(address, number, secure=scheme == "https")
        return await forward(request, self._nodes, endpoint, _target(request))


def _port_name(service: Object, port: str) -> str:
    """The name of the Service's port that a path names by name, by number or, the only one, not at all."""
    if not port:
        return ""
    for each in service["spec"].get("ports") or ():
        if port in (each.get("name"), str(each["port"])):
            return str(each.get("name") or "")
    raise ServiceUnavailable(f'no service port "{port}" found for service "{meta.name(service)}"')


def _serving(slice_: Object, port: str) -> Iterator[tuple[str, int]]:
    """Addresses with the number of the port, of the endpoints that are ready."""
    numbers = [each["port"] for each in slice_.get("ports") or () if (each.get("name") or "") == port]
    for endpoint in slice_.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready", True) and numbers:
            yield from ((address, numbers[0]) for address in endpoint["addresses"])


def split_name(text: str, *, named_ports: bool = False) -> tuple[str, str, str]:
    """`[scheme:]name[:port]` → scheme, name, port.

    Raises:
        BadRequest: it is none of these.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    scheme, name, port = ("", *parts) if len(parts) == 2 else parts if len(parts) == 3 else ("", "", "")
    bad_port = port and not named_ports and not (port.isdecimal() and len(port) < 6 and int(port) < 65536)
    if not name or bad_port or scheme not in ("", "http", "https"):
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
    before = 7 if request.namespace else 5
    path = "/" + "/".join(raw.path.split("/")[before + 1 :])
    return f"{path}?{raw.query}" if raw.query else path
