"""DELETE of one object or of a collection, with DeleteOptions in the body or in the query."""

from typing import Any

from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.api import bodies, options
from server.api.render import document_reply, list_reply, object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.registry.context import RequestContext
from server.registry.options import DeleteOptions
from server.registry.registry import Registry


async def delete(registry: Registry, request: Request) -> Reply:
    context, wanted = await _read(request)
    result = await registry.delete(context, request.kind, request.namespace, request.info.name, wanted)
    if result.status is not None:
        return document_reply(result.status, media=request.representation.media)
    return await object_reply(registry, request, result.record, warnings=context.warnings)


async def delete_collection(registry: Registry, request: Request) -> Reply:
    context, wanted = await _read(request)
    selected = options.list_options(request.query)
    result = await registry.delete_collection(context, request.kind, request.namespace, selected, wanted)
    return await list_reply(registry, request, result)


async def _read(request: Request) -> tuple[RequestContext, DeleteOptions]:
    given = await _body(request)
    dry_run: list[str] | None = None
    if given is not None:
        dry_run = _texts(given.get("dryRun"))
    return options.context(request, dry_run=dry_run), options.delete_options(request.query, given)


async def _body(request: Request) -> Object | None:
    body, media = await request.body()
    if not body:
        return None
    given = bodies.decode_object(body, media)
    kind = given.get("kind")
    if kind not in (None, "", "DeleteOptions"):
        raise BadRequest(f"decoded object cannot be converted to DeleteOptions: it is a {kind}")
    return given


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
