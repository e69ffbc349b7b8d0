"""Nobody grants more than they have: roles and bindings are refused whose rules their writer does not hold.

The verb `escalate` on a role, or `bind` on the role that a binding names, allows it all the same.
"""

from kubeling.objects.errors import BadRequest, Forbidden, GroupResource, forbidden, not_found
from kubeling.objects.meta import Object
from server.admission.chain import Plugin
from server.auth.attributes import Attributes as Question
from server.auth.authorization import Authorization
from server.auth.identities import MASTERS
from server.auth.rules import FULL_AUTHORITY, described, missing, quoted
from server.registry.admission import Attributes
from server.registry.kind import Kind

_GROUP = "rbac.authorization.k8s.io"
_ROLES, _BINDINGS = ("roles", "clusterroles"), ("rolebindings", "clusterrolebindings")
_PLURALS = {"Role": "roles", "ClusterRole": "clusterroles"}


class RoleEscalation(Plugin):
    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        ours = kind.group == _GROUP and kind.plural in _ROLES + _BINDINGS
        return ours and operation in ("CREATE", "UPDATE") and not subresource

    def mutate(self, attributes: Attributes) -> None:
        """Look at what the object has become, before it is validated.

        Raises:
            Forbidden: the writer does not hold what it grants.
            NotFound: a binding names a role that does not exist.
        """
        if MASTERS in attributes.context.user.groups or attributes.obj is None or _only_let_go(attributes):
            return
        if attributes.kind.plural in _ROLES:
            self._check_role(attributes, attributes.obj)
        else:
            self._check_binding(attributes, attributes.obj)

    def _check_role(self, attributes: Attributes, role: Object) -> None:
        name = attributes.name if attributes.operation == "UPDATE" else ""
        if self._may(attributes, "escalate", attributes.kind.plural, attributes.namespace, name):
            return
        self._confirm_held(attributes, role.get("rules") or [])
        if role.get("aggregationRule") or (attributes.old or {}).get("aggregationRule"):
            held = self._authorization.rules_for(attributes.context.user, attributes.namespace)
            if missing(held.rules, FULL_AUTHORITY):
                raise _refused(attributes, "must have cluster-admin privileges to use the aggregationRule")

    def _check_binding(self, attributes: Attributes, binding: Object) -> None:
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        plural = _PLURALS.get(kind, "")
        if plural and self._may(attributes, "bind", plural, attributes.namespace, name):
            return
        if not plural:
            raise BadRequest(f'unsupported role reference kind: "{kind}"')
        role = self._authorization.rbac.role(kind, name, attributes.namespace)
        if role is None:
            raise not_found(GroupResource(_GROUP, plural), name)
        self._confirm_held(attributes, role.get("rules") or [])

    def _may(self, attributes: Attributes, verb: str, plural: str, namespace: str, name: str) -> bool:
        user = attributes.context.user
        question = Question(
            user, verb, group=_GROUP, version="*", namespace=namespace, resource=plural, name=name
        )
        return self._authorization.allows(question)

    def _confirm_held(self, attributes: Attributes, wanted: list[Object]) -> None:
        user = attributes.context.user
        held = self._authorization.rules_for(user, attributes.namespace)
        lacking = missing(held.rules, wanted)
        if not lacking:
            return
        who = f'user "{user.name}" (groups={quoted(user.groups)})'
        why = f"{who} is attempting to grant RBAC permissions not currently held:\n{described(lacking)}"
        if held.errors:
            why += f"; resolution errors: [{' '.join(held.errors)}]"
        raise _refused(attributes, why)


def _only_let_go(attributes: Attributes) -> bool:
    """Whether an update changes no more than owners and finalizers, so that the object can be removed."""
    obj, old = attributes.obj, attributes.old
    if attributes.operation != "UPDATE" or obj is None or old is None:
        return False
    return _without_owners(obj) == _without_owners(old)


def _without_owners(obj: Object) -> Object:
    loose = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
    metadata = {key: value for key, value in obj["metadata"].items() if key not in loose}
    return {**obj, "metadata": metadata}


def _refused(attributes: Attributes, why: str) -> Forbidden:
    obj = attributes.obj or {}
    name = attributes.name or (obj.get("metadata") or {}).get("name", "")
    return forbidden(attributes.kind.resource, name, why)
