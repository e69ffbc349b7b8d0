"""PATCH: change part of an object by a JSON patch, a merge patch or a strategic merge patch."""

from kubeling.objects.errors import BadRequest
from server.api import bodies, options
from server.api.negotiation import JSON, media_type, unsupported_media
from server.api.render import object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.registry.options import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Patch
from server.registry.registry import Registry

_ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH)


async def patch(registry: Registry, request: Request) -> Reply:
    info, context = request.info, options.context(request)
    result = await registry.patch(
        context,
        request.kind,
        request.namespace,
        info.name,
        await _read(request),
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


async def _read(request: Request) -> Patch:
    media = media_type(request.http.headers.get("Content-Type", ""))
    if media not in _ACCEPTED:
        raise unsupported_media(media, *_ACCEPTED)
    body = bodies.decode(await bodies.read(request.http), JSON)
    if media == JSON_PATCH and not isinstance(body, list):
        raise BadRequest("a JSON patch must be a list of operations")
    if media != JSON_PATCH and not isinstance(body, dict):
        raise BadRequest("a merge patch must be an object")
    return Patch(media, body)
