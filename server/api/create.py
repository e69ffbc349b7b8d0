"""POST: create an object, or act on one through a subresource such as pods/binding."""

from server.api import options
from server.api.decode import read_object
from server.api.render import object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.registry.registry import Registry


async def create(registry: Registry, request: Request) -> Reply:
    info, context = request.info, options.context(request)
    obj = await read_object(request, context)
    record = await registry.create(
        context,
        request.kind,
        request.namespace,
        obj,
        version=request.version,
        name=info.name,
        subresource=info.subresource,
    )
    return await object_reply(
        registry,
        request,
        record,
        status=201,
        subresource=info.subresource,
        warnings=context.warnings,
    )
