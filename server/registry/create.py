"""Create: decode, default, admit, prepare, name, validate, reserve, admit for good, store."""

from collections.abc import Sequence

from kubeling.objects import errors
from kubeling.objects.errors import ApiError, Cause
from kubeling.objects.meta import Object
from kubeling.objects.meta import name as name_of
from server.registry import metadata
from server.registry.context import RequestContext
from server.registry.decoding import decoded, decoded_body
from server.registry.environment import Environment, attributes, unstored
from server.registry.kind import Kind
from server.registry.ownership import Entry, put
from server.registry.ownership_writes import track_creation
from server.registry.strategy import Scope
from server.registry.translation import translated
from server.schema.patience import unhurried
from server.storage import Record

_GENERATED_NAMES = 8
"""How many generated names are tried when they are taken."""


async def create(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    obj: Object,
    *,
    version: str,
    name: str = "",
    entries: Sequence[Entry] | None = None,
) -> Record:
    """Add an object; `name` is the one that the URL names, if it does (creation by update).

    `entries` are its managedFields, where they are known already (creation by apply).
    """
    wanted = decoded(context, kind, version, obj)
    _check_name(wanted, name)
    metadata.place(kind, namespace, wanted)
    scope = env.scope(context, kind)
    kind.strategy.default(wanted)
    if entries is None:
        track_creation(scope, wanted, version)
    else:
        put(wanted, entries)
    asked = attributes(
        scope, "CREATE", version=version, namespace=namespace, name=name_of(wanted), obj=wanted
    )
    await env.admission.mutate(asked)
    metadata.drop_repeated_owners(scope, wanted)
    if metadata.of(wanted).pop("resourceVersion", None):
        raise ApiError("resourceVersion should not be set on objects to be created", reason="")
    metadata.fill(scope, wanted)
    _generate_name(env, kind, namespace, wanted)
    kind.strategy.prepare_for_create(scope, wanted)
    return await _stored(env, scope, namespace, wanted, version=version)


async def act(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    obj: Object,
    subresource: str,
) -> Record:
    """POST to a subresource of an object: the kind's strategy knows what that does."""
    action = kind.strategy.actions.get(subresource)
    if action is None:
        raise errors.NotFound("the server could not find the requested resource", details={})
    body = decoded_body(context, kind, kind.subresources[subresource], obj)
    metadata.place(kind, namespace, body)
    asked = attributes(
        env.scope(context, kind),
        "CREATE",
        version=kind.version,
        namespace=namespace,
        name=name,
        subresource=subresource,
        obj=body,
    )
    await env.admission.mutate(asked)
    await env.admission.validate(asked)
    return unstored(kind, await action(env, context, kind, namespace, name, body))


def _check_name(obj: Object, name: str) -> None:
    own = metadata.of(obj)
    if not name:
        return
    if own.get("name", name) != name:
        raise errors.BadRequest(
            f"the name of the object ({own['name']}) does not match the name on the URL ({name})"
        )
    own["name"] = name


def _generate_name(env: Environment, kind: Kind, namespace: str, obj: Object) -> None:
    """A name from generateName; another when it is taken, a few times."""
    own = metadata.of(obj)
    if own.get("name") or not own.get("generateName"):
        return
    for _ in range(_GENERATED_NAMES):
        own["name"] = metadata.generated_name(own["generateName"])
        if env.store.get(kind.stored_in, namespace, own["name"]) is None:
            return


def _causes(kind: Kind, obj: Object) -> list[Cause]:
    strategy = kind.strategy
    return [*metadata.validate(kind, obj), *strategy.validate(obj), *strategy.validate_create(obj)]


async def _stored(env: Environment, scope: Scope, namespace: str, obj: Object, *, version: str) -> Record:
    kind, name = scope.kind, name_of(obj)
    causes = await unhurried(lambda: _causes(kind, obj))
    if causes:
        raise errors.invalid(kind.kind, name, causes, group=kind.group)
    async with kind.strategy.reserve(scope, obj, None):
        # last of all, and when little can go wrong any more: quotas are charged here
        asked = attributes(scope, "CREATE", version=version, namespace=namespace, name=name, obj=obj)
        await env.admission.validate(asked)
        scope.context.warnings.extend(kind.strategy.warnings(obj))
        return await _committed(env, scope, namespace, name, obj)


async def _committed(env: Environment, scope: Scope, namespace: str, name: str, obj: Object) -> Record:
    kind = scope.kind
    taken = env.store.get(kind.stored_in, namespace, name)
    if taken is not None:
        raise _already_exists(kind, taken)
    if scope.context.dry_run:
        return unstored(kind, obj)
    with translated(kind, name):
        return await env.add(kind, namespace, name, obj)


def _already_exists(kind: Kind, taken: Record) -> errors.AlreadyExists:
    error = errors.already_exists(kind.resource, taken.name)
    if taken.obj["metadata"].get("deletionTimestamp"):
        return errors.AlreadyExists(f"object is being deleted: {error.message}", details=error.details)
    return error
