"""PATCH: change part of an object by a JSON, merge or strategic merge patch, or apply a configuration."""

from typing import Any

from kubeling.objects.errors import BadRequest, Cause, invalid
from server.api import bodies, options, yaml_duplicates
from server.api.bodies import Malformed, mismatched
from server.api.negotiation import JSON, YAML, media_type, unsupported_media
from server.api.render import object_reply
from server.api.reply import Reply
from server.api.request import Request
from server.api.requestinfo import flag
from server.registry.context import RequestContext
from server.registry.options import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.registry.strictness import Misread, unknown_field
from server.schema.duplicates import MOST_TOLD

_ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
_OPERATION_FIELDS = frozenset({"op", "path", "from", "value"})
_CUSTOM_ACCEPTED = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)


async def patch(registry: Registry, request: Request) -> Reply:
    info = request.info
    media = _media(request)
    _check_options(request, media)
    context = options.context(request)
    context.check_create = lambda: request.authorize("create")
    result = await registry.patch(
        context,
        request.kind,
        request.namespace,
        info.name,
        await _read(request, context, media),
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


def _media(request: Request) -> str:
    """The kind of patch; custom resources have no strategies that a strategic merge could go by."""
    media = media_type(request.http.headers.get("Content-Type", ""))
    accepted = _ACCEPTED if request.kind.types is None else _CUSTOM_ACCEPTED
    if media not in accepted:
        raise unsupported_media(media, *accepted)
    return media


def _check_options(request: Request, media: str) -> None:
    causes = []
    if media == APPLY_PATCH and not request.query.get("fieldManager", [""])[0]:
        text = "Required value: is required for apply patch"
        causes.append(Cause("fieldManager", "FieldValueRequired", text))
    if media != APPLY_PATCH and "force" in request.query:
        text = "Forbidden: may not be specified for non-apply patch"
        causes.append(Cause("force", "FieldValueForbidden", text))
    if causes:
        raise invalid("PatchOptions", "", causes, group="meta.k8s.io")


async def _read(request: Request, context: RequestContext, media: str) -> Patch:
    content = await bodies.read(request.http)
    if media == APPLY_PATCH:
        return Patch(media, _configuration(content, context), force=flag(request.query, "force"))
    try:
        body = bodies.decode(content, JSON)
        _check_form(body, media)
    except Malformed as error:
        prefix = "" if media == STRATEGIC_MERGE_PATCH else "error decoding patch: "
        raise BadRequest(f"{prefix}{error}") from error
    if context.field_validation != "Ignore":
        found = bodies.misread_json(content, body)
        context.misread = _of_operations(found, body) if media == JSON_PATCH else found
    return Patch(media, body)


def _check_form(body: Any, media: str) -> None:
    if media != JSON_PATCH:
        if not isinstance(body, dict):
            raise mismatched(body, "map[string]interface {}")
        return
    if not isinstance(body, list):
        raise mismatched(body, "[]handlers.jsonPatchOp")
    for operation in body:
        if not isinstance(operation, dict):
            raise mismatched(operation, "handlers.jsonPatchOp")


def _of_operations(found: Misread | None, operations: list[dict[str, Any]]) -> Misread:
    """What is too much or comes twice in a JSON patch, operation by operation."""
    told = [
        (position, unknown_field(f"[{position}].{name}"))
        for position, operation in enumerate(operations)
        for name in operation
        if name not in _OPERATION_FIELDS
    ]
    for text in found.told if found is not None else ():
        told.append((int(text.partition("[")[2].partition("]")[0]), text))
    told.sort(key=lambda each: each[0])
    return Misread(tuple(f"json patch {text}" for _, text in told[:MOST_TOLD]))


def _configuration(content: bytes, context: RequestContext) -> Any:
    body = bodies.decode(content, JSON if content.lstrip()[:1] == b"{" else YAML)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise BadRequest(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal"
            " array into Go value of type map[string]interface {}"
        )
    if context.field_validation != "Ignore" and (found := yaml_duplicates.duplicate_keys(content, body)):
        if context.field_validation == "Strict":
            lines = "".join(f"\n  {each}" for each in found)
            raise BadRequest(
                f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:{lines}"
            )
        context.warnings.extend(found)
    return body
