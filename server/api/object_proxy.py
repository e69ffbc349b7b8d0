"""nodes/proxy, pods/proxy, services/proxy: any HTTP request to a node's agent, to a pod or to a Service."""

import random
from collections.abc import Iterator
from dataclasses import replace
from posixpath import normpath
from urllib.parse import quote

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest, NotFound, ServiceUnavailable
from kubeling.objects.meta import Object
from server.api.backends import Backends, check_address, check_host
from server.api.nodes import Endpoint, Nodes
from server.api.proxy import forward
from server.api.reply import Answer
from server.api.request import Request
from server.registry.kind import Kind
from server.registry.options import ListOptions, Selection
from server.registry.registry import Registry

_PATH = "/:@!$&'()*+,;=~"
"""What may stand in a path as it is."""


class ObjectProxy:
    """The subresources, each to be called with a request."""

    def __init__(self, registry: Registry, nodes: Nodes, backends: Backends) -> None:
        self._registry = registry
        self._nodes = nodes
        self._backends = backends

    async def node(self, request: Request) -> Answer:
        """Pass a request on to the agent of the node that the path names, or to another of the node's ports.

        Raises:
            ApiError: there is no such node, or it does not answer.
        """
        scheme, name, port = split_name(request.info.name, what="node")
        endpoint = await self._nodes.endpoint(name)
        target = target_of(request)
        if not port or int(port) == endpoint.port:
            return await forward(request, self._nodes, endpoint, target)
        await check_host(endpoint.host)
        other = replace(endpoint, port=int(port), secure=scheme == "https")
        return await forward(request, self._backends, other, target)

    async def pod(self, request: Request) -> Answer:
        """Pass a request on to the pod that the path names, at `name:port` or its first port.

        Raises:
            ApiError: there is no such pod, its address is none, or it does not answer.
        """
        scheme, name, port = split_name(request.info.name, what="pod")
        record = await self._registry.get(request.kind, request.namespace, name)
        address = str((record.obj.get("status") or {}).get("podIP") or "")
        check_address(address)
        secure = scheme == "https"
        number = int(port) if port else _first_port(record.obj) or (443 if secure else 80)
        endpoint = Endpoint(address, number, secure=secure)
        return await forward(request, self._backends, endpoint, target_of(request))

    async def service(self, request: Request) -> Answer:
        """Pass a request on to one of the ready pods behind a Service, at its port of that name or number.

        Raises:
            ApiError: there is no such Service or port, or nobody serves it.
        """
        scheme, name, port = split_name(request.info.name, what="service", named_ports=True)
        record = await self._registry.get(request.kind, request.namespace, name)
        wanted = _port_name(record.obj, port)
        ready = await self._serving(request.namespace, name, wanted)
        if not ready:
            raise ServiceUnavailable(f'no endpoints available for service "{request.info.name}"')
        address, number = random.choice(ready)
        endpoint = Endpoint(address, number, secure=scheme == "https")
        return await forward(request, self._backends, endpoint, target_of(request))

    async def _serving(self, namespace: str, service: str, port: str) -> list[tuple[str, int]]:
        """Addresses, and the port's number, of the pods that serve it.

        Endpoints that are no pods are left out: whoever may write those could have the server call anywhere.
        """
        slices = self._registry.kinds.lookup("discovery.k8s.io", "v1", "endpointslices")
        pods = self._registry.kinds.lookup("", "v1", "pods")
        assert slices is not None
        assert pods is not None
        selection = ListOptions(Selection.parse(f"kubernetes.io/service-name={service}"))
        found = await self._registry.list(slices, namespace, selection)
        ready: list[tuple[str, int]] = []
        served = (each for record in found.records for each in _ready(record.obj, port))
        for target, address, number in served:
            if target.get("namespace", namespace) == namespace:
                ready += [(address, number)] if await self._has(pods, namespace, target, address) else []
        return ready

    async def _has(self, pods: Kind, namespace: str, target: Object, address: str) -> bool:
        """Whether the pod that an endpoint refers to has the endpoint's address."""
        try:
            pod = (await self._registry.get(pods, namespace, target.get("name") or "")).obj
            check_address(address)
        except (NotFound, BadRequest):
            return False
        status = pod.get("status") or {}
        return address in (status.get("podIP"), *(each.get("ip") for each in status.get("podIPs") or ()))


def _port_name(service: Object, port: str) -> str:
    """The name of the Service's port that a path names by name, by number or, the only one, not at all."""
    if not port:
        return ""
    for each in service["spec"].get("ports") or ():
        if port in (each.get("name"), str(each["port"])):
            return str(each.get("name") or "")
    raise ServiceUnavailable(f'no service port "{port}" found for service "{meta.name(service)}"')


def _ready(slice_: Object, port: str) -> Iterator[tuple[Object, str, int]]:
    """The pods behind a port, with address and the port's number, of the endpoints that are ready."""
    numbers = [each["port"] for each in slice_.get("ports") or () if (each.get("name") or "") == port]
    for endpoint in slice_.get("endpoints") or ():
        target = endpoint.get("targetRef") or {}
        if target.get("kind") == "Pod" and numbers and (endpoint.get("conditions") or {}).get("ready", True):
            yield from ((target, address, numbers[0]) for address in endpoint["addresses"])


def split_name(text: str, *, what: str, named_ports: bool = False) -> tuple[str, str, str]:
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
        raise BadRequest(f'invalid {what} request "{text}"')
    return scheme, name, port


def _first_port(pod: Object) -> int:
    ports = (port for container in pod["spec"]["containers"] for port in container.get("ports") or ())
    return int(next((port["containerPort"] for port in ports), 0))


def target_of(request: Request) -> str:
    """Path (without `..` and empty segments) and query behind `.../proxy`."""
    path = "/".join(request.info.parts[3:])
    ending = "/" if request.info.path.endswith("/") else ""
    if path:
        path = normpath(f"/{path}").replace("//", "/")
        ending = "" if path == "/" else ending
    query = request.http.raw_path.partition("?")[2]
    return quote(path + ending, safe=_PATH) + (f"?{query}" if query else "")
