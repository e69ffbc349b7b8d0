"""POST pods/eviction: a deletion that asks the pod's disruption budget first, and says why the pod goes."""

from dataclasses import dataclass, replace

from kubeling.objects import conditions
from kubeling.objects.errors import ApiError, BadRequest, Conflict, GroupResource, conflict
from kubeling.objects.meta import Object, is_terminating
from server.registry.context import SYSTEM, RequestContext
from server.registry.delete import delete
from server.registry.environment import Environment
from server.registry.groups.core.binding import SUCCESS
from server.registry.groups.core.disruption_budget import covering, may_go_unhealthy, still_processed, take
from server.registry.kind import Kind
from server.registry.options import DeleteOptions
from server.registry.update import write
from server.storage import Record

_ATTEMPTS = 20
_POD = GroupResource("", "Pod")
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@dataclass(frozen=True, slots=True)
class _Eviction:
    """One request. `context` says whether it is a dry run; `options` are the client's own."""

    env: Environment
    context: RequestContext
    kind: Kind
    namespace: str
    name: str
    options: DeleteOptions


async def evict(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, eviction: Object
) -> Object:
    """
    Raises:
        BadRequest: the eviction names another pod.
        NotFound: there is no such pod.
        TooManyRequests: the pod's disruption budget allows no disruption.
    """
    if (eviction.get("metadata") or {}).get("name") != name:
        raise BadRequest("name in URL does not match name in Eviction object")
    given = eviction.get("deleteOptions") or {}
    preconditions = given.get("preconditions") or {}
    options = DeleteOptions(
        grace_period_seconds=given.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation_policy=given.get("propagationPolicy") or "",
        orphan_dependents=given.get("orphanDependents"),
    )
    context.dry_run = context.dry_run or bool(given.get("dryRun"))
    await _carry_out(_Eviction(env, context, kind, namespace, name, options))
    return SUCCESS


async def _carry_out(asked: _Eviction) -> None:
    """Pods that have ended, are going or do not run yet disturb nobody: budgets are for the others."""
    for attempt in range(1, _ATTEMPTS + 1):
        pod = await asked.env.find(asked.kind, asked.namespace, asked.name)
        if not _needs_no_budget(pod.obj):
            await _within_budget(asked, pod)
            return
        try:
            await _remove(asked, None if _is_over(pod.obj) else pod)
        except Conflict:
            if asked.options.resource_version or attempt == _ATTEMPTS:
                raise
        else:
            return


def _is_over(pod: Object) -> bool:
    return is_terminating(pod) or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _needs_no_budget(pod: Object) -> bool:
    return _is_over(pod) or (pod.get("status") or {}).get("phase") == "Pending"


async def _within_budget(asked: _Eviction, pod: Record) -> None:
    budgets = covering(asked.env, pod)
    if len(budgets) > 1:
        raise ApiError(_SEVERAL, reason="")
    if not budgets or not may_go_unhealthy(budgets[0].obj, pod.obj):
        for budget in budgets:
            await take(asked.env, asked.context, budget, asked.name)
        await _remove(asked, None)
        return
    try:
        await _remove(asked, pod)
    except Conflict as error:
        if asked.options.resource_version:
            raise
        raise still_processed(budgets[0].name) from error


async def _remove(asked: _Eviction, seen: Record | None) -> None:
    """Delete the pod; with `seen`, only when it is still as it was seen, unless the client demands more."""
    options = asked.options
    if seen is not None and not options.resource_version:
        options = replace(options, resource_version=str(seen.revision))
    if not asked.context.dry_run:
        options = await _announced(asked, options)
    await delete(asked.env, asked.context, asked.kind, asked.namespace, asked.name, options)


async def _announced(asked: _Eviction, options: DeleteOptions) -> DeleteOptions:
    """Set the condition that says what happens to the pod; the options for its new revision."""

    def wanted(record: Record) -> Object:
        _check_preconditions(record, options)
        obj = record.copy()
        reason, message = "EvictionByEvictionAPI", "Eviction API: evicting"
        now = asked.env.clock.now()
        conditions.set_condition(obj, "DisruptionTarget", "True", reason=reason, message=message, now=now)
        return obj

    result = await write(
        asked.env,
        RequestContext(user=SYSTEM),
        asked.kind,
        asked.namespace,
        asked.name,
        wanted=wanted,
        version=asked.kind.version,
        subresource="eviction",
        attempts=_ATTEMPTS,
    )
    if not options.resource_version:
        return options
    return replace(options, resource_version=str(result.record.revision))


def _check_preconditions(pod: Record, options: DeleteOptions) -> None:
    if options.uid not in ("", pod.uid):
        raise _mismatch(pod, "UID", options.uid, pod.uid, "deleted and then recreated")
    if options.resource_version not in ("", str(pod.revision)):
        raise _mismatch(pod, "ResourceVersion", options.resource_version, str(pod.revision), "modified")


def _mismatch(pod: Record, what: str, asked: str, found: str, happened: str) -> Conflict:
    why = (
        f"the {what} in the precondition ({asked}) does not match the {what} in record ({found})."
        f" The object might have been {happened}"
    )
    return conflict(_POD, pod.name, why)
