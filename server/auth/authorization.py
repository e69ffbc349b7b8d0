"""May this user do that? The authorizers in their order; whatever none of them allows is forbidden.

As upstream's with `--authorization-mode=Node,RBAC`, with system:masters before both.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from kubeling.objects.meta import Object
from server.auth.attributes import ALLOWED, NO_OPINION, Attributes, Authorizer, Decision
from server.auth.identities import MASTERS, node_name
from server.auth.node_relations import Objects
from server.auth.nodes import NodeAuthorizer
from server.auth.rbac import Rbac
from server.auth.rules import Rule, compiled
from server.registry.context import UserInfo

_NODES_HAVE_NO_RULES = "node authorizer does not support user rule resolution"


class Superusers:
    """system:masters may do all."""

    def decide(self, request: Attributes) -> Decision:
        return ALLOWED if MASTERS in request.user.groups else NO_OPINION


class UserRules(NamedTuple):
    """The PolicyRules that a user has in a namespace."""

    rules: list[Object]
    incomplete: bool
    errors: list[str]


class Authorization:
    """Asks each authorizer in turn."""

    def __init__(self, authorizers: Sequence[Authorizer], rbac: Rbac) -> None:
        self._authorizers = tuple(authorizers)
        self.rbac = rbac

    @classmethod
    def standard(cls, objects: Objects) -> "Authorization":
        rbac = Rbac(objects)
        return cls([Superusers(), NodeAuthorizer(objects, _node_rules), rbac], rbac)

    def decide(self, request: Attributes) -> Decision:
        """The first permission, or all that was said against the request."""
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.decide(request)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons)) if reasons else NO_OPINION

    def allows(self, request: Attributes) -> bool:
        return self.decide(request).allowed

    def check(self, request: Attributes) -> None:
        """Let the request pass.

        Raises:
            Forbidden: no authorizer allows it.
        """
        decision = self.decide(request)
        if not decision.allowed:
            raise request.refusal(decision.reason)

    def rules_for(self, user: UserInfo, namespace: str) -> UserRules:
        """What can be listed of the user's rights: those that roles give."""
        rules, errors = self.rbac.rules_for(user, namespace)
        if node_name(user):
            errors = [_NODES_HAVE_NO_RULES, *errors]
        return UserRules(rules, bool(errors), errors)


@cache
def _node_rules() -> tuple[Rule, ...]:
    """The rules of system:node, compiled when the first node asks."""
    from server.auth.policy.cluster_roles import NODE
    from server.auth.policy.rule_text import rules

    return compiled(rules(NODE))
