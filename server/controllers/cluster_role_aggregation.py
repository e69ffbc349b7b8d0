"""Collects the rules of ClusterRoles that have an aggregationRule from the roles that it selects.

One key stands for all: any change of any ClusterRole may concern each of those that collect.
"""

from collections.abc import Sequence
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import CLUSTER_ROLES
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.labels import from_label_selector
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller


def make(context: Context) -> Controller:
    roles = context.client.informer(CLUSTER_ROLES)

    async def reconcile(_: str) -> Result:
        known = sorted(roles.list(), key=meta.name)
        for role in known:
            rules = collected(role, known) if role.get("aggregationRule") else None
            if rules is not None and rules != (role.get("rules") or []):
                with suppress(NotFound):
                    await context.client.patch(CLUSTER_ROLES, meta.name(role), {"rules": rules})
        return DONE

    runner = ControllerRunner("clusterrole-aggregation-controller", reconcile, clock=context.clock)
    runner.watches(roles, lambda role: "all")
    return runner


def collected(role: Object, roles: Sequence[Object]) -> list[Object]:
    """The rules of all the other roles that one of the role's selectors matches, each rule once."""
    rules: list[Object] = []
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        matches = from_label_selector(selector).matches
        for other in roles:
            if meta.name(other) != meta.name(role) and matches(meta.labels(other)):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules
