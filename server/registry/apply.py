"""PATCH with an applied configuration (server-side apply): of an object that is there, or that it creates."""

from kubeling.objects import errors
from kubeling.objects.errors import ApiError, BadRequest
from kubeling.objects.meta import Object
from server.registry import encoding
from server.registry.context import RequestContext
from server.registry.create import create
from server.registry.decoding import identified
from server.registry.environment import Environment
from server.registry.kind import Kind, StoredForm
from server.registry.options import Patch
from server.registry.ownership import APPLY, owner_of
from server.registry.ownership_apply import Application, Applied, SeenIn, apply, described
from server.registry.ownership_writes import in_version, reset, version_named
from server.registry.results import UpdateResult
from server.registry.update import ATTEMPTS, to_be_stored, write
from server.schema.apply.compare import plan_for
from server.schema.apply.plan import Branch
from server.schema.decode import decode
from server.schema.errors import DecodeError
from server.storage import Record


async def apply_object(
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
    """The object with the configuration applied to it.

    Raises:
        Conflict: others own fields that it changes.
    """
    check_type(patch.body, kind.api_version(version), kind.kind)

    def wanted(record: Record) -> Object:
        live = encoding.decoded(record, kind, version)
        applied = _applied(env, context, kind, live, patch, version=version, subresource=subresource)
        obj = _decoded(kind, applied, patch.body, version)
        return to_be_stored(kind, namespace, name, obj, version=version)

    for _ in range(ATTEMPTS):
        if subresource or env.store.get(kind.stored_in, namespace, name) is not None:
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
                owners_known=True,
            )
        try:
            return await _create(env, context, kind, namespace, name, patch, version=version)
        except errors.AlreadyExists:
            continue  # somebody was faster: it is an update now
    raise errors.conflict(kind.resource, name)


def check_type(config: Object, api_version: str, kind: str) -> None:
    """
    Raises:
        BadRequest: the configuration is of another kind or version than the request.
    """
    found, found_kind = config.get("apiVersion") or "", config.get("kind") or ""
    if (found, found_kind) != (api_version, kind):
        group, _, version = str(found).rpartition("/")
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={found_kind}")


def _applied(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    live: Object,
    patch: Patch,
    *,
    version: str,
    subresource: str,
) -> Applied:
    application = Application(
        plan=plan_for(kind.struct(version)),
        go_type=kind.types is None,
        live=live,
        config=patch.body,
        owner=owner_of(context, kind.api_version(version), subresource, APPLY),
        force=patch.force,
        reset=reset(kind, subresource),
        now=env.clock.now(),
        seen_in=_seen_in(kind, version) if kind.form is None else _seen_in_form(kind, kind.form, version),
    )
    return apply(application)


def _seen_in(kind: Kind, version: str) -> SeenIn:
    """Built-in kinds have all their versions; a custom kind has one, and its versions the same fields."""

    def seen(api_version: str, obj: Object) -> tuple[Branch, Object] | None:
        other = version_named(kind, api_version)
        struct = kind.struct(version)
        if other is None:
            group = api_version.rpartition("/")[0]
            return None if group == kind.group else (plan_for(struct), obj)
        try:
            plain = decode(struct, obj).obj if struct is not None else dict(obj)
        except DecodeError:
            return plan_for(struct), obj  # refused later, with the reason
        stored = kind.strategy.to_storage(identified(kind, plain), version)
        return plan_for(kind.struct(other)), in_version(kind, stored, other)

    return seen


def _seen_in_form(kind: Kind, form: StoredForm, version: str) -> SeenIn:
    """Of a custom kind, each version is a kind of its own."""

    def seen(api_version: str, obj: Object) -> tuple[Branch, Object] | None:
        found = form.translated(obj, api_version)
        return (plan_for(kind.struct(version)), obj) if found is None else (plan_for(found[0]), found[1])

    return seen


async def _create(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    patch: Patch,
    *,
    version: str,
) -> UpdateResult:
    if context.check_create is not None:
        context.check_create()
    empty: Object = {"apiVersion": kind.api_version(version), "kind": kind.kind, "metadata": {}}
    applied = _applied(env, context, kind, empty, patch, version=version, subresource="")
    own = applied.obj.get("metadata") or {}
    if uid := own.get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.conflict(kind.resource, name, why)
    if not own.get("name"):
        raise BadRequest(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    obj = {**applied.obj, "metadata": {key: own[key] for key in own if key != "resourceVersion"}}
    record = await create(
        env, context, kind, namespace, obj, version=version, name=name, entries=applied.entries
    )
    return UpdateResult(record, created=True)


def _decoded(kind: Kind, applied: Applied, config: Object, version: str) -> Object:
    struct = kind.struct(version)
    try:
        obj = decode(struct, applied.obj).obj if struct is not None else dict(applied.obj)
    except DecodeError as error:
        which = described(config, kind.api_version(version))
        raise ApiError(
            f"failed to convert new object ({which}) to proper version: {error}", reason=""
        ) from error
    own = obj["metadata"] = dict(obj.get("metadata") or {})
    if applied.entries:
        own["managedFields"] = applied.entries
    return obj
