"""Delete and deletecollection: preconditions, finalizers, grace periods, removal.

An object goes at once unless it has finalizers, a grace period, or is of a kind that must be cleaned up first
(namespaces). Otherwise deletion is marked by metadata.deletionTimestamp, and whoever takes the last obstacle
away (an update, or a delete with grace period 0) removes it.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from kubeling.objects import errors, meta
from kubeling.objects.meta import Object
from server.registry import metadata
from server.registry.causes import invalid
from server.registry.context import RequestContext
from server.registry.environment import Environment, attributes, unstored
from server.registry.kind import Kind
from server.registry.listing import list_records
from server.registry.options import DeleteOptions, ListOptions
from server.registry.results import DeleteResult, ListResult
from server.registry.strategy import Scope, Strategy
from server.registry.translation import translated
from server.registry.update import ATTEMPTS, is_done, uid_mismatch
from server.storage import Record
from server.storage.errors import RevisionConflict

_COLLECTION_WORKERS = 64
"""Deletions of a collection under way at once: enough to share transactions, few enough to let others in."""
_LONGEST_GRACE = 10**10
"""Seconds, some three hundred years: the end must be a date that can be written."""
_POLICIES = ("", "Orphan", "Background", "Foreground")


async def delete(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    options: DeleteOptions,
) -> DeleteResult:
    _check_options(options)
    for _ in range(ATTEMPTS):
        record = await env.find(kind, namespace, name)
        _check_preconditions(kind, record, options)
        scope = env.scope(context, kind)
        asked = attributes(
            scope, "DELETE", version=kind.version, namespace=namespace, name=name, old=record.obj
        )
        await env.admission.mutate(asked)
        await env.admission.validate(asked)
        try:
            return await _attempt(env, scope, record, options)
        except RevisionConflict:
            if options.resource_version:
                break
    raise errors.conflict(kind.resource, name)


async def delete_collection(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    list_options: ListOptions,
    options: DeleteOptions,
) -> ListResult:
    found = await list_records(env, kind, namespace, list_options)
    waiting = iter(found.records)

    async def work() -> None:
        for record in waiting:
            with suppress(errors.NotFound):
                await delete(env, context, kind, record.namespace, record.name, options)

    workers = min(_COLLECTION_WORKERS, len(found.records))
    outcomes = await asyncio.gather(*(work() for _ in range(workers)), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
    return found


def _check_options(options: DeleteOptions) -> None:
    if options.propagation_policy not in _POLICIES:
        supported = " or ".join(f'"{each}"' for each in ("Foreground", "Background", "Orphan"))
        why = f"DeletionPropagation need to be one of {supported} or nil"
        cause = invalid("propagationPolicy", options.propagation_policy, why)
        raise errors.invalid("DeleteOptions", "", [cause])
    if options.propagation_policy and options.orphan_dependents is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        cause = invalid("propagationPolicy", options.propagation_policy, why)
        raise errors.invalid("DeleteOptions", "", [cause])


def _check_preconditions(kind: Kind, record: Record, options: DeleteOptions) -> None:
    if options.uid and options.uid != record.uid:
        raise errors.conflict(kind.resource, record.name, uid_mismatch(options.uid, record.uid))
    if options.resource_version and options.resource_version != str(record.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version},"
            f" ResourceVersion in object meta: {record.revision}"
        )
        raise errors.conflict(kind.resource, record.name, why)


async def _attempt(env: Environment, scope: Scope, record: Record, options: DeleteOptions) -> DeleteResult:
    kind, obj = scope.kind, record.copy()
    _mark(scope, obj, options)
    if is_done(kind, obj):
        final = obj if kind.strategy.finals_recorded or _was_marked(record) else None
        return _answer(kind, await _removed(env, scope, record, final), removed=True)
    if obj == record.obj:
        return DeleteResult(record, removed=False)
    return DeleteResult(await _marked(env, scope, record, obj), removed=False)


def _was_marked(record: Record) -> bool:
    return meta.is_terminating(record.obj)


def _mark(scope: Scope, obj: Object, options: DeleteOptions) -> None:
    """Set what asks for deletion, or shorten a grace period that runs already."""
    own, strategy = obj["metadata"], scope.kind.strategy
    grace = min(max(strategy.grace_period(obj, options), 0), _LONGEST_GRACE)
    if not own.get("deletionTimestamp"):
        _set_finalizers(own, strategy, options)
        own["deletionTimestamp"] = meta.timestamp(scope.now + timedelta(seconds=grace))
        own["deletionGracePeriodSeconds"] = grace
        if own.get("generation"):
            own["generation"] += 1
        strategy.prepare_for_delete(scope, obj)
    elif options.grace_period_seconds is not None and grace < own.get("deletionGracePeriodSeconds", 0):
        _set_finalizers(own, strategy, options)
        running = timedelta(seconds=own["deletionGracePeriodSeconds"] - grace)
        own["deletionTimestamp"] = meta.timestamp(meta.parse_timestamp(own["deletionTimestamp"]) - running)
        own["deletionGracePeriodSeconds"] = grace
    elif not strategy.graceful:
        _set_finalizers(own, strategy, options)


def _set_finalizers(own: Object, strategy: Strategy, options: DeleteOptions) -> None:
    """Orphaning and foreground deletion are finalizers, which the garbage collector works off."""
    present = own.get("finalizers") or []
    kept = [each for each in present if each not in (metadata.ORPHAN, metadata.FOREGROUND)]
    if wanted := _wanted_finalizer(present, strategy, options):
        kept.append(wanted)
    if set(kept) == set(present):
        return
    if kept:
        own["finalizers"] = kept
    else:
        own.pop("finalizers", None)


def _wanted_finalizer(present: list[str], strategy: Strategy, options: DeleteOptions) -> str:
    """What is asked for comes first, then what the object says already, then the kind's default."""
    if not strategy.has_dependents:
        return ""
    if options.orphan_dependents is not None:
        return metadata.ORPHAN if options.orphan_dependents else ""
    if options.propagation_policy:
        return {"Orphan": metadata.ORPHAN, "Foreground": metadata.FOREGROUND}.get(
            options.propagation_policy, ""
        )
    held = next((each for each in present if each in (metadata.ORPHAN, metadata.FOREGROUND)), "")
    return held or (metadata.ORPHAN if strategy.orphans_by_default else "")


async def _removed(env: Environment, scope: Scope, record: Record, final: Object | None) -> Record:
    if scope.context.dry_run:
        return unstored(scope.kind, final or record.obj)
    with translated(scope.kind, record.name):
        removed = await env.drop(scope.kind, record, final)
    await scope.kind.strategy.release(scope, record.obj)
    return removed


async def _marked(env: Environment, scope: Scope, record: Record, obj: Object) -> Record:
    if scope.context.dry_run:
        return unstored(scope.kind, obj)
    with translated(scope.kind, record.name):
        return await env.replace(scope.kind, record, obj)


def _answer(kind: Kind, record: Record, *, removed: bool) -> DeleteResult:
    if kind.strategy.returns_deleted:
        return DeleteResult(record, removed)
    details: Object = {"name": record.name}
    if kind.group:
        details["group"] = kind.group
    details |= {"kind": kind.plural, "uid": record.uid}
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
    return DeleteResult(record, removed, status)
