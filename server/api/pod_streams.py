"""pods/exec, attach and portforward: checked here, then tunnelled to the node that runs the pod.

What is spoken inside the tunnel (SPDY/3.1 or WebSocket) is between the client and the node.
"""

from urllib.parse import quote, urlencode

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest, Cause, invalid
from kubeling.objects.meta import Object
from server.api.containers import container_of, find_pod, node_of
from server.api.nodes import Nodes
from server.api.reply import Answer
from server.api.request import Request
from server.api.requestinfo import Query, first, flag
from server.api.tunnel import tunnel
from server.api.upgrades import wants_upgrade
from server.registry.registry import Registry

_STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


class PodStreams:
    """The three subresources, each to be called with a request."""

    def __init__(self, registry: Registry, nodes: Nodes) -> None:
        self._registry = registry
        self._nodes = nodes

    async def exec(self, request: Request) -> Answer:
        """Run a command in a container.

        Raises:
            ApiError: options or pod are not fit for it, or the node refuses.
        """
        commands = request.query.get("command", [])
        if not commands:
            raise invalid("PodExecOptions", "", [Cause("command", "FieldValueRequired", "Required value")])
        streams = _streams(request.query)
        return await self._tunnel(request, "exec", [("command", each) for each in commands] + streams)

    async def attach(self, request: Request) -> Answer:
        """Join a container's main process."""
        return await self._tunnel(request, "attach", _streams(request.query))

    async def port_forward(self, request: Request) -> Answer:
        """Reach ports of a pod."""
        ports = [("port", port) for port in request.query.get("ports", [])]
        return await self._tunnel(request, "portForward", ports)

    async def _tunnel(self, request: Request, action: str, options: list[tuple[str, str]]) -> Answer:
        if request.info.verb != "create":
            request.authorize("create")  # a WebSocket begins with a GET, and may do all the same
        pod = await find_pod(self._registry, request)
        path = f"/{action}/{meta.namespace(pod)}/{meta.name(pod)}"
        if action != "portForward":
            path += f"/{quote(container_of(pod, first(request.query, 'container')))}"
        _check_bound(pod)
        if not wants_upgrade(request.http):
            raise BadRequest("Upgrade request required")
        endpoint = await self._nodes.endpoint(node_of(pod))
        target = f"{path}?{urlencode(options)}" if options else path
        return await tunnel(request.http, self._nodes, endpoint, target)


def _check_bound(pod: Object) -> None:
    if not node_of(pod):
        raise BadRequest(f"pod {meta.name(pod)} does not have a host assigned")


def _streams(query: Query) -> list[tuple[str, str]]:
    """The node's parameters for the streams: a terminal has no stderr of its own."""
    wanted = {name for name in _STREAMS if flag(query, name)}
    if "tty" in wanted:
        wanted.discard("stderr")
    if not wanted & {"stdin", "stdout", "stderr"}:
        raise BadRequest("one of stdin, stdout, stderr must be specified")
    return [(parameter, "1") for name, parameter in _STREAMS.items() if name in wanted]
