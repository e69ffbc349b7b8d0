"""Patch: the current object in the request's version, the patch applied, then the way of every update.

Races are tried again on the new state, as Kubernetes does, unless the patch itself names a resourceVersion.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from kubeling.objects import errors
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry import encoding
from server.registry.causes import invalid
from server.registry.context import RequestContext
from server.registry.custom.identity import check_kind
from server.registry.environment import Environment
from server.registry.kind import Kind
from server.registry.options import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Patch
from server.registry.results import UpdateResult
from server.registry.strictness import problems
from server.registry.update import ATTEMPTS, to_be_stored, write
from server.schema.decode import decode
from server.schema.errors import DecodeError, PatchError, TypeMismatch
from server.schema.json_patch import PatchTooLarge, json_patch
from server.schema.merge_patch import merge_patch
from server.schema.nodes import Struct
from server.schema.printed import printed
from server.schema.strategic import strategic_merge
from server.storage import Record

SUPPORTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH)


async def patch_object(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    patch: Patch,
    *,
    version: str,
    subresource: str,
) -> UpdateResult:
    struct = kind.struct(version)

    def wanted(record: Record) -> Object:
        current = encoding.decoded(record, kind, version)
        patched = applied(struct, current, patch)
        if kind.custom:
            check_kind(kind, patched)
        obj = _decoded(context, struct, patched, patch)
        return to_be_stored(kind, namespace, name, obj, version=version)

    return await write(
        env,
        context,
        kind,
        namespace,
        name,
        wanted=wanted,
        version=version,
        subresource=subresource,
        attempts=ATTEMPTS,
    )


def applied(struct: Struct | None, current: Object, patch: Patch) -> Any:
    """The patched object, not yet decoded.

    Raises:
        UnsupportedMediaType, BadRequest, RequestEntityTooLarge, Invalid: as the API server answers.
    """
    try:
        return _apply(struct, current, patch)
    except PatchTooLarge as error:
        raise errors.RequestEntityTooLarge(f"Request entity too large: {error}") from error
    except DecodeError as error:
        raise BadRequest(str(error)) from error
    except PatchError as error:
        raise _rejected() from error


def _apply(struct: Struct | None, current: Object, patch: Patch) -> Any:
    if patch.content_type == JSON_PATCH:
        return json_patch(current, patch.body)
    if patch.content_type not in SUPPORTED:
        raise unsupported(patch.content_type)
    if not isinstance(patch.body, dict):
        raise DecodeError("json: cannot unmarshal array into Go value of type map[string]interface {}")
    if patch.content_type == MERGE_PATCH or struct is None:
        return merge_patch(current, patch.body)
    return strategic_merge(struct, current, patch.body)


def unsupported(content_type: str) -> errors.UnsupportedMediaType:
    return errors.UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(SUPPORTED)
    )


def _rejected() -> errors.Invalid:
    """Upstream does not tell the client what could not be applied."""
    return errors.Invalid("the server rejected our request due to an error in our request")


def _decoded(context: RequestContext, struct: Struct | None, patched: Any, patch: Patch) -> Object:
    if struct is None:
        return dict(patched)
    shown = partial(_shown, struct, patched, patch)
    try:
        found = decode(struct, patched)
    except DecodeError as error:
        raise _invalid_patch(shown, _misfit(error, patch)) from error
    if (found.unknown or context.misread) and context.field_validation != "Ignore":
        seen = problems(context.misread, found.unknown, sort=True)
        if seen and context.field_validation == "Strict":
            raise _invalid_patch(shown, seen.text)
        context.warnings.extend(each for each in seen.warnings if each not in context.warnings)
    return found.obj


def _misfit(error: DecodeError, patch: Patch) -> str:
    """Strategic patches are applied to maps, of which a converter makes the object: it has its own words."""
    strategic = patch.content_type == STRATEGIC_MERGE_PATCH
    return error.restoring if strategic and isinstance(error, TypeMismatch) else str(error)


def _invalid_patch(shown: Callable[[], str], why: str) -> errors.Invalid:
    return errors.invalid("", "", [invalid("patch", shown(), why)])


def _shown(struct: Struct | None, patched: Any, patch: Patch) -> str:
    """Upstream shows the patch itself where it was a strategic one, and else what it made of the object."""
    if patch.content_type == STRATEGIC_MERGE_PATCH and struct is not None:
        return printed(patch.body)
    return orjson.dumps(patched).decode()
