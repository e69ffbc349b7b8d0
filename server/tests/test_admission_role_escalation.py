"""Roles and bindings: nobody grants more than they have."""

from typing import Any

import pytest

from kubeling.objects.errors import Forbidden, NotFound
from server.admission.role_escalation import RoleEscalation
from server.auth.authorization import Authorization
from server.auth.identities import authenticated
from server.auth.policy.rule_text import rules
from server.registry.admission import Attributes
from server.registry.context import SYSTEM, RequestContext
from server.registry.kinds import Kinds
from server.tests.rbac_objects import GROUP, Stored

BOB = authenticated("bob", groups=("team",))


@pytest.fixture
def stored() -> Stored:
    stored = Stored()
    stored.role("pods", "get list : core : pods")
    stored.bind("bobs", "pods", "User bob", namespace="a")
    stored.role("secrets", "get : core : secrets")
    return stored


def write(stored: Stored, plural: str, obj: Any, *, old: Any = None, user: Any = BOB, **rest: Any) -> None:
    kind = Kinds().lookup(GROUP, "v1", plural)
    assert kind is not None
    operation = "UPDATE" if old else "CREATE"
    place = {"namespace": "a" if kind.namespaced else "", "name": obj["metadata"]["name"]} | rest
    plugin = RoleEscalation(Authorization.standard(stored))
    assert plugin.concerns(kind, operation, "")
    plugin.mutate(Attributes(RequestContext(user), kind, "v1", operation, obj=obj, old=old, **place))


def role(*lines: str, **rest: Any) -> Any:
    return {"metadata": {"name": "r"}, "rules": rules(lines), **rest}


def binding(name: str, kind: str = "ClusterRole") -> Any:
    reference = {"apiGroup": GROUP, "kind": kind, "name": name}
    return {"metadata": {"name": "b"}, "roleRef": reference, "subjects": []}


def test_what_one_holds_one_may_grant(stored: Stored) -> None:
    write(stored, "roles", role("get : core : pods"))
    write(stored, "rolebindings", binding("pods"))


def test_what_one_does_not_hold_is_named(stored: Stored) -> None:
    with pytest.raises(Forbidden) as caught:
        write(stored, "roles", role("get watch : core : pods secrets"))
    assert caught.value.message == (
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "bob"'
        ' (groups=["team" "system:authenticated"])'
        " is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["watch"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "watch"]}'
    )


def test_rights_in_a_namespace_cannot_be_granted_in_the_cluster(stored: Stored) -> None:
    with pytest.raises(Forbidden):
        write(stored, "clusterroles", role("get : core : pods"))
    with pytest.raises(Forbidden, match=r'clusterrolebindings.rbac.authorization.k8s.io "b" is forbidden'):
        write(stored, "clusterrolebindings", binding("pods"))


def test_escalate_and_bind_allow_it(stored: Stored) -> None:
    with pytest.raises(Forbidden):
        write(stored, "rolebindings", binding("secrets"))
    stored.role(
        "grantor",
        f"escalate : {GROUP} : roles",
        f"bind : {GROUP} : clusterroles : secrets",
    )
    stored.bind("g", "grantor", "Group team", namespace="a")
    write(stored, "roles", role("* : * : *"))
    write(stored, "rolebindings", binding("secrets"))
    stored.role("admin", "* : * : *")
    with pytest.raises(Forbidden):
        write(stored, "rolebindings", binding("admin"))


def test_superusers_may_grant_everything(stored: Stored) -> None:
    write(stored, "clusterroles", role("* : * : *"), user=SYSTEM)


def test_an_aggregated_role_may_become_anything(stored: Stored) -> None:
    rule = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    with pytest.raises(Forbidden, match="must have cluster-admin privileges to use the aggregationRule"):
        write(stored, "clusterroles", role(aggregationRule=rule))
    stored.role("all", "* : * : *", "* : *")
    stored.bind("all", "all", "User bob")
    write(stored, "clusterroles", role(aggregationRule=rule))


def test_a_binding_needs_its_role(stored: Stored) -> None:
    with pytest.raises(NotFound, match=r'roles.rbac.authorization.k8s.io "gone" not found'):
        write(stored, "rolebindings", binding("gone", "Role"))


def test_finalizers_may_be_taken_from_any_role(stored: Stored) -> None:
    old = role("* : * : *")
    old["metadata"]["finalizers"] = ["x/y"]
    write(stored, "roles", role("* : * : *"), old=old)
    changed = role("* : * : *")
    changed["metadata"]["labels"] = {"a": "b"}
    with pytest.raises(Forbidden):
        write(stored, "roles", changed, old=old)
