"""POST pods/eviction: a deletion that asks first. Disruption budgets are not consulted yet."""

from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry.context import RequestContext
from server.registry.delete import delete
from server.registry.environment import Environment
from server.registry.groups.core.binding import SUCCESS
from server.registry.kind import Kind
from server.registry.options import DeleteOptions


async def evict(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, eviction: Object
) -> Object:
    """
    Raises:
        BadRequest: the eviction names another pod.
        NotFound: there is no such pod.
    """
    own = eviction.get("metadata") or {}
    if own.get("name", name) != name:
        raise BadRequest("name in URL does not match name in Eviction object")
    given = eviction.get("deleteOptions") or {}
    preconditions = given.get("preconditions") or {}
    options = DeleteOptions(
        grace_period_seconds=given.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation_policy=given.get("propagationPolicy") or "",
    )
    context.dry_run = context.dry_run or bool(given.get("dryRun"))
    await delete(env, context, kind, namespace, name, options)
    return SUCCESS
