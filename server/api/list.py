"""GET of a collection: objects by selector, in pages when a limit is given."""

from server.api import options
from server.api.render import list_reply
from server.api.reply import Reply
from server.api.request import Request
from server.registry.registry import Registry


async def list_(registry: Registry, request: Request) -> Reply:
    result = await registry.list(request.kind, request.namespace, options.list_options(request))
    return await list_reply(registry, request, result)
