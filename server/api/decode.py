"""The object in the body of a write, with what a strict client wants to know about it."""

from kubeling.objects.meta import Object
from server.api import bodies
from server.api.negotiation import JSON, YAML
from server.api.request import Request
from server.registry.context import RequestContext


async def read_object(request: Request, context: RequestContext) -> Object:
    """The object in the body. Fields that it holds twice are noted in the context, unless that is ignored.

    Raises:
        BadRequest, UnsupportedMediaType, RequestEntityTooLarge: the body cannot be read.
    """
    body, media = await request.body()
    try:
        obj = bodies.decode_object(body, media)
    except bodies.Malformed as error:
        raise bodies.unrecognized(request.kind.kind, error, body) from error
    if context.field_validation != "Ignore":
        if media == JSON:
            context.misread = bodies.misread_json(body, obj)
        elif media == YAML:
            context.misread = bodies.misread_yaml(body, obj)
    return obj
