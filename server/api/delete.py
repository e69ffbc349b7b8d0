"""DELETE of one object or of a collection, with DeleteOptions in the body or in the query."""

from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.api import bodies, options
from server.api.render import document_reply, list_reply, object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.registry.context import RequestContext
from server.registry.options import DeleteOptions
from server.registry.registry import Registry
from server.schema.decode import decode
from server.schema.errors import DecodeError
from server.schema.types import options_struct


async def delete(registry: Registry, request: Request) -> Reply:
    context, wanted = await _read(request)
    result = await registry.delete(context, request.kind, request.namespace, request.info.name, wanted)
    if result.status is not None:
        return document_reply(result.status, media=request.representation.media)
    accepted = not result.removed and wanted.orphan_dependents is False
    return await object_reply(
        registry, request, result.record, status=202 if accepted else 200, warnings=context.warnings
    )


async def delete_collection(registry: Registry, request: Request) -> Reply:
    context, wanted = await _read(request)
    selected = options.list_options(request)
    result = await registry.delete_collection(context, request.kind, request.namespace, selected, wanted)
    return await list_reply(registry, request, result)


async def _read(request: Request) -> tuple[RequestContext, DeleteOptions]:
    given = await _body(request)
    dry_run: list[str] | None = None
    if given is not None:
        dry_run = given.get("dryRun", [])
    return options.context(request, dry_run=dry_run), options.delete_options(request.query, given)


async def _body(request: Request) -> Object | None:
    body, media = await request.body()
    if not body:
        return None
    given = bodies.decode_object(body, media)
    kind = given.get("kind")
    if kind not in (None, "", "DeleteOptions"):
        raise BadRequest(f"decoded object cannot be converted to DeleteOptions: it is a {kind}")
    return _decoded(given)


def _decoded(given: Object) -> Object:
    """The options, of the right types; their apiVersion may be that of any group."""
    try:
        return decode(options_struct("DeleteOptions"), given).obj
    except DecodeError as error:
        why = f"cannot be handled as a DeleteOptions: {error}"
        raise BadRequest(f'DeleteOptions in version "v1" {why}') from error
