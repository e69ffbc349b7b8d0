"""From a request's object to the storage version: apiVersion and kind, types, unknown fields, conversion."""

from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry.context import RequestContext
from server.registry.custom.identity import check_identity
from server.registry.kind import Kind, Subresource, api_version
from server.registry.strictness import problems
from server.schema.decode import Decoded, decode
from server.schema.definitions import name_of
from server.schema.errors import DecodeError
from server.schema.nodes import Struct
from server.schema.types import struct_of


def decoded(context: RequestContext, kind: Kind, version: str, obj: Object) -> Object:
    """The object in the storage version, its own dict all the way down to what has no inner structure.

    Raises:
        BadRequest: it is of another kind or version, or does not fit the type; in a strict request also when
            it has unknown or duplicate fields.
    """
    if kind.custom:
        check_identity(kind, version, obj)
    struct = kind.struct(version)
    found = checked(context, kind.api_version(version), kind.kind, struct, obj, sort=kind.custom)
    return kind.strategy.to_storage(identified(kind, found), version)


def identified(kind: Kind, obj: Object) -> Object:
    """The object with the kind and apiVersion that are stored, first as they are written."""
    return {"kind": kind.kind, "apiVersion": kind.storage_api_version, **_without_identity(obj)}


def _without_identity(obj: Object) -> Object:
    obj.pop("kind", None)
    obj.pop("apiVersion", None)
    return obj


def decoded_body(context: RequestContext, kind: Kind, body: Subresource, obj: Object) -> Object:
    """The body of a subresource that has a kind of its own, such as Binding or Scale."""
    group, version = (body.group, body.version) if body.version else (kind.group, kind.version)
    if obj.get("apiVersion") in [api_version(group, each) for each in body.older]:
        obj["apiVersion"] = api_version(group, version)
    return checked(context, api_version(group, version), body.kind, struct_of(group, version, body.kind), obj)


def checked(
    context: RequestContext,
    group_version: str,
    kind: str,
    struct: Struct | None,
    obj: Object,
    *,
    sort: bool = False,
) -> Object:
    """The object after the type checks; unknown fields become errors or warnings, as the context says.

    `sort` tells of them in their own order, not in the body's.
    """
    _check_identity(group_version, kind, obj)
    if struct is None:
        return dict(obj)
    try:
        found: Decoded = decode(struct, obj)
    except DecodeError as error:
        raise BadRequest(cannot_be_handled(group_version, kind, str(error))) from error
    if (found.unknown or context.misread) and context.field_validation != "Ignore":
        seen = problems(context.misread, found.unknown, sort=sort)
        if seen and context.field_validation == "Strict":
            raise BadRequest(cannot_be_handled(group_version, kind, seen.text))
        context.warnings.extend(seen.warnings)
    return found.obj


def cannot_be_handled(group_version: str, kind: str, why: str) -> str:
    return f'{kind} in version "{group_version.rpartition("/")[2]}" cannot be handled as a {kind}: {why}'


def _check_identity(group_version: str, kind: str, obj: Object) -> None:
    version, found = obj.get("apiVersion"), obj.get("kind")
    if version not in (None, "", group_version):
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version"
            f" ({group_version})"
        )
    if found not in (None, "", kind):
        raise BadRequest(_of_another_kind(group_version, kind, str(found)))


def _of_another_kind(group_version: str, kind: str, found: str) -> str:
    """Upstream knows the kind, then it cannot convert it, or has never heard of it."""
    group, _, version = group_version.rpartition("/")
    package = group.partition(".")[0]
    if name_of(group, version, found):
        source = f"{package}{version}" if package else version
        why = f"converting ({source}.{found}) to ({package or 'core'}.{kind}): unknown conversion"
    else:
        why = (
            f'no kind "{found}" is registered for version "{group_version}" in scheme'
            ' "pkg/api/legacyscheme/scheme.go:30"'
        )
    return f'{found} in version "{version}" cannot be handled as a {kind}: {why}'
