"""Subresources that are connections - exec, attach, port-forward, proxies: admission sees who opens one.

What passes through them is the affair of their own modules.
"""

from collections.abc import Mapping

from kubeling.objects.meta import Object
from server.api.pages import method_not_allowed, unknown_resource
from server.api.request import Request
from server.api.requestinfo import first, flag
from server.registry.context import RequestContext
from server.registry.registry import Registry

_UPGRADED = frozenset({"GET", "POST"})
_PROXIED = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_STREAMS = ("stdin", "stdout", "stderr", "tty")
_OPTIONS: Mapping[tuple[str, str], str] = {
    ("pods", "exec"): "PodExecOptions",
    ("pods", "attach"): "PodAttachOptions",
    ("pods", "portforward"): "PodPortForwardOptions",
    ("pods", "proxy"): "PodProxyOptions",
    ("services", "proxy"): "ServiceProxyOptions",
    ("nodes", "proxy"): "NodeProxyOptions",
}


async def admit(registry: Registry, request: Request) -> None:
    """Let a connection be opened, as far as that can be said before its own module looks at it.

    Raises:
        NotFound, MethodNotAllowed: the path leads beyond the subresource, or that is no method of it.
        ApiError: admission refuses.
    """
    info = request.info
    kind = _OPTIONS.get((info.resource, info.subresource))
    proxied = info.subresource == "proxy"
    if len(info.parts) > 3 and not proxied:
        raise unknown_resource()
    if kind is None:
        return
    if request.http.method not in (_PROXIED if proxied else _UPGRADED):
        raise method_not_allowed()
    context = RequestContext(user=request.user, user_agent=request.user_agent)
    await registry.connect(
        context,
        request.kind,
        request.namespace,
        info.name,
        version=request.version,
        subresource=info.subresource,
        options={"apiVersion": "v1", "kind": kind, **_options(request)},
    )


def _options(request: Request) -> Object:
    """The options in the query, as the object that admission is shown."""
    info, query = request.info, request.query
    if info.subresource == "proxy":
        path = "/".join(request.info.parts[3:])
        return {"path": f"/{path}"} if path else {}
    if info.subresource == "portforward":
        ports = [int(port) for port in query.get("ports", []) if port.isdecimal() and len(port) < 6]
        return {"ports": ports} if ports else {}
    options: Object = {name: True for name in _STREAMS if flag(query, name)}
    if container := first(query, "container"):
        options["container"] = container
    if info.subresource == "exec":
        options["command"] = query.get("command", [])
    return options
