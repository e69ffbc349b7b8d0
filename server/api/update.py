"""PUT: replace an object or one of its subresources."""

from server.api import options
from server.api.decode import read_object
from server.api.render import object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.registry.registry import Registry


async def update(registry: Registry, request: Request) -> Reply:
    info, context = request.info, options.context(request)
    context.check_create = lambda: request.authorize("create")
    obj = await read_object(request, context)
    result = await registry.update(
        context,
        request.kind,
        request.namespace,
        info.name,
        obj,
        version=request.version,
        subresource=info.subresource,
    )
    return await object_reply(
        registry,
        request,
        result.record,
        status=201 if result.created else 200,
        subresource=info.subresource,
        warnings=context.warnings,
    )
