"""/healthz: the agent is well when it answers, since nothing in it polls: its loop is this one.

Each check can be asked for by name, and all of them with `?verbose`.
"""

from http import HTTPStatus

from aiohttp import web

from runtime.node.api.errors import HttpError

CHECKS = ("ping", "log", "syncloop")


async def health(request: web.BaseRequest) -> web.Response:
    if "verbose" not in request.query:
        return web.Response(text="ok")
    lines = [*(f"[+]{name} ok" for name in CHECKS), "healthz check passed", ""]
    return web.Response(text="\n".join(lines))


async def health_check(request: web.BaseRequest, name: str) -> web.Response:
    """Raises HttpError."""
    if name not in CHECKS:
        raise HttpError(HTTPStatus.NOT_FOUND, "404 page not found")
    return web.Response(text="ok")
