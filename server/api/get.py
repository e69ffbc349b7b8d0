"""GET of one object, or of a subresource that is read like one (status, scale)."""

from server.api.render import object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.api.requestinfo import first
from server.registry.registry import Registry


async def get(registry: Registry, request: Request) -> Reply:
    info, query = request.info, request.query
    record = await registry.get(
        request.kind,
        request.namespace,
        info.name,
        subresource=info.subresource,
        resource_version=first(query, "resourceVersion") if query else "",
    )
    return await object_reply(registry, request, record, subresource=info.subresource)
