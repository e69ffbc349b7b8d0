"""Update, the way of PUT, every patch, /status and /scale: current object, wanted object, compare-and-swap.

Kubernetes' rules: a resourceVersion in the wanted object must be the current one; without one, the update is
unconditional and simply goes again when it loses a race. An update that changes nothing writes nothing. One
that takes the last finalizer from an object under deletion removes it.
"""

from collections.abc import Callable
from functools import partial

from kubeling.objects import errors
from kubeling.objects.errors import BadRequest, Cause
from kubeling.objects.meta import Object
from server.registry import metadata
from server.registry.causes import invalid
from server.registry.context import RequestContext
from server.registry.create import create
from server.registry.decoding import decoded, identified
from server.registry.environment import Environment, attributes, unstored
from server.registry.kind import Kind
from server.registry.ownership_writes import is_same, track_update
from server.registry.results import UpdateResult
from server.registry.strategy import Scope
from server.registry.translation import translated
from server.registry.unconverted import resolved
from server.schema.causes import Tolerated
from server.schema.patience import unhurried
from server.storage import Record
from server.storage.errors import RevisionConflict

ATTEMPTS = 1000
"""A write that names no resourceVersion is to succeed however many others change the object meanwhile: each
round lets one of them through, so this is how many may do so at the same time."""

Wanted = Callable[[Record], Object]
"""From the current record, the object as it should be, in the storage version and the caller's own."""


async def update(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    obj: Object,
    *,
    version: str,
    subresource: str,
) -> UpdateResult:
    """PUT of an object or of one of its subresources."""
    found = env.store.get(kind.stored_in, namespace, name)
    if found is None and kind.strategy.create_on_update and not subresource:
        if context.check_create is not None:
            context.check_create()
        record = await create(env, context, kind, namespace, obj, version=version, name=name)
        return UpdateResult(record, created=True)
    wanted = decoded(context, kind, version, obj)
    check_identity(kind, namespace, name, wanted)
    kind.strategy.default(wanted)
    if found is None:
        raise errors.not_found(kind.resource, name)
    conditional = bool(metadata.of(wanted).get("resourceVersion"))
    if not conditional and not kind.strategy.unconditional_update:
        cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(kind.plural, name, [cause], group=kind.group)
    return await write(
        env,
        context,
        kind,
        namespace,
        name,
        wanted=lambda record: _copy(wanted),
        version=version,
        subresource=subresource,
        attempts=1 if conditional else ATTEMPTS,
    )


async def write(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    *,
    wanted: Wanted,
    version: str,
    subresource: str = "",
    attempts: int,
    owners_known: bool = False,
) -> UpdateResult:
    """Make the object what `wanted` says, asking anew when another write came between, so many times.

    With `owners_known`, the managedFields of what is wanted are right already.

    Raises:
        Conflict: all attempts lost, or what is wanted names another resourceVersion or uid.
    """
    for _ in range(attempts):
        record = await env.find(kind, namespace, name)
        scope = env.scope(context, kind)
        try:
            prepare = partial(_wanted, scope, record, wanted, version=version, subresource=subresource)
            obj = await resolved(partial(prepare, owners_known=owners_known))
            return await _attempt(env, scope, record, obj, version, subresource)
        except RevisionConflict:
            continue
    raise errors.conflict(kind.resource, name)


def _wanted(
    scope: Scope, record: Record, wanted: Wanted, *, version: str, subresource: str, owners_known: bool
) -> Object:
    obj = wanted(record)
    _check_preconditions(scope.kind, obj, record)
    if not owners_known:
        track_update(scope, record, obj, version=version, subresource=subresource)
    return obj


def to_be_stored(kind: Kind, namespace: str, name: str, obj: Object, *, version: str) -> Object:
    """A patched object in the form that is stored, with defaults. Raises BadRequest: it is not the URL's."""
    check_identity(kind, namespace, name, obj)
    stored = kind.strategy.to_storage(identified(kind, obj), version)
    kind.strategy.default(stored)
    return stored


def check_identity(kind: Kind, namespace: str, name: str, obj: Object) -> None:
    """That the object is the one which the URL names. Raises BadRequest."""
    own = metadata.of(obj)
    if own.setdefault("name", name) != name:
        raise BadRequest(
            f"the name of the object ({own['name']}) does not match the name on the URL ({name})"
        )
    metadata.place(kind, namespace, obj)


def _copy(obj: Object) -> Object:
    """Deep enough for the hooks: they replace values, and change metadata, spec and status in place."""
    return {
        key: dict(value) if key in ("metadata", "status", "spec") and isinstance(value, dict) else value
        for key, value in obj.items()
    }


async def _attempt(
    env: Environment, scope: Scope, record: Record, wanted: Object, version: str, subresource: str
) -> UpdateResult:
    kind, old = scope.kind, record.obj
    obj = kind.strategy.narrowed(scope, subresource, wanted, old)
    metadata.take_entries(obj, wanted)
    asked = attributes(
        scope,
        "UPDATE",
        version=version,
        namespace=record.namespace,
        name=record.name,
        subresource=subresource,
        obj=obj,
        old=old,
    )
    await env.admission.mutate(asked)
    metadata.drop_repeated_owners(scope, obj)
    _prepare(scope, obj, old, subresource)
    if causes := await unhurried(lambda: _causes(kind, obj, old, subresource)):
        _judge(scope, obj, causes)
    await env.admission.validate(asked)
    if is_same(obj, old):
        return UpdateResult(record)
    async with kind.strategy.reserve(scope, obj, old):
        return UpdateResult(await _committed(env, scope, record, obj))


def _check_preconditions(kind: Kind, wanted: Object, record: Record) -> None:
    own = metadata.of(wanted)
    if own.get("resourceVersion") not in (None, "", "0", str(record.revision)):
        raise errors.conflict(kind.resource, record.name)
    if own.get("uid") not in (None, "", record.uid):
        raise errors.conflict(kind.resource, record.name, uid_mismatch(own["uid"], record.uid))


def uid_mismatch(wanted: str, found: str) -> str:
    return f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"


def _prepare(scope: Scope, obj: Object, old: Object, subresource: str) -> None:
    strategy = scope.kind.strategy
    metadata.of(obj)["resourceVersion"] = old["metadata"]["resourceVersion"]
    metadata.keep(obj, old)
    if subresource:
        strategy.prepare_for_subresource_update(scope, subresource, obj, old)
        return
    strategy.prepare_for_update(scope, obj, old)
    if strategy.has_generation:
        metadata.bump_generation(obj, old)
    scope.context.warnings.extend(strategy.update_warnings(obj, old))


def _causes(kind: Kind, obj: Object, old: Object, subresource: str) -> list[Cause]:
    strategy = kind.strategy
    causes = metadata.validate_update(obj, old)
    if metadata.differs(obj, old):
        causes += metadata.validate(kind, obj)
    if subresource:
        return causes + strategy.validate_subresource_update(subresource, obj, old)
    changed, wrong = strategy.validate_update(obj, old), strategy.validate_again(obj, old)
    return causes + (wrong + changed if strategy.changes_last else changed + wrong)


def _judge(scope: Scope, obj: Object, causes: list[Cause]) -> None:
    """Warn of what was wrong before, refuse what has become so."""
    refused = [each for each in causes if not isinstance(each, Tolerated)]
    if refused:
        raise errors.invalid(scope.kind.kind, obj["metadata"]["name"], refused, group=scope.kind.group)
    scope.context.warnings.extend(f"{each.field}: {each.message}" for each in causes)


async def _committed(env: Environment, scope: Scope, record: Record, obj: Object) -> Record:
    kind = scope.kind
    if scope.context.dry_run:
        return unstored(kind, obj)
    with translated(kind, record.name):
        if not is_done(kind, obj):
            return await env.replace(kind, record, obj)
        removed = await env.drop(kind, record, obj)
    await kind.strategy.release(scope, obj)
    return removed


def is_done(kind: Kind, obj: Object) -> bool:
    """Whether the object's deletion was asked for and nothing holds it back any more."""
    own = obj["metadata"]
    if not own.get("deletionTimestamp") or own.get("finalizers"):
        return False
    return kind.strategy.may_be_removed(obj) and not kind.strategy.must_stay(obj)
