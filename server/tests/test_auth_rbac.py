"""RBAC: who has which role, what a rule allows, and that a change counts at once."""

from typing import Any

import pytest

from server.auth import rbac as authorizer
from server.auth.attributes import Attributes
from server.auth.identities import authenticated
from server.auth.rbac import LONGEST_REMEMBERED, Rbac
from server.registry.context import UserInfo
from server.tests.rbac_objects import Stored

BOB = authenticated("bob", groups=("team",))
ACCOUNT = authenticated("system:serviceaccount:ns:sa", groups=("system:serviceaccounts",))


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def rbac(stored: Stored) -> Rbac:
    return Rbac(stored)


def asked(verb: str, resource: str = "pods", *, user: UserInfo = BOB, **rest: Any) -> Attributes:
    return Attributes(user, verb, resource=resource, **rest)


def path(verb: str, url: str) -> Attributes:
    return Attributes(BOB, verb, is_resource=False, path=url)


def test_without_a_binding_nothing_is_allowed(rbac: Rbac, stored: Stored) -> None:
    stored.role("reader", "get : core : pods")
    assert rbac.decide(asked("get")) == (False, "")


@pytest.mark.parametrize("subject", ["User bob", "Group team"])
def test_a_cluster_binding_counts_everywhere(rbac: Rbac, stored: Stored, subject: str) -> None:
    stored.role("reader", "get list : core : pods")
    stored.bind("b", "reader", subject)
    kind, _, name = subject.partition(" ")
    reason = f'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to {kind} "{name}"'
    assert rbac.decide(asked("get", namespace="x", name="p")) == (True, reason)
    assert rbac.decide(asked("list")).allowed
    assert not rbac.decide(asked("delete", namespace="x")).allowed
    assert not rbac.decide(asked("get", user=authenticated("eve"))).allowed


def test_a_binding_counts_in_its_namespace_only(rbac: Rbac, stored: Stored) -> None:
    stored.role("reader", "get : core : pods", namespace="a")
    stored.bind("b", "reader", "User bob", namespace="a", kind="Role")
    reason = 'RBAC: allowed by RoleBinding "b/a" of Role "reader" to User "bob"'
    assert rbac.decide(asked("get", namespace="a")) == (True, reason)
    assert not rbac.decide(asked("get", namespace="b")).allowed
    assert not rbac.decide(asked("get")).allowed


def test_a_service_account_is_bound_by_namespace_and_name(rbac: Rbac, stored: Stored) -> None:
    stored.role("reader", "get : core : pods")
    stored.bind("b", "reader", "ServiceAccount ns/sa", namespace="a")
    reason = 'RBAC: allowed by RoleBinding "b/a" of ClusterRole "reader" to ServiceAccount "sa/ns"'
    assert rbac.decide(asked("get", user=ACCOUNT, namespace="a")) == (True, reason)
    stored.bind("own", "reader", "ServiceAccount sa", namespace="ns")
    assert rbac.decide(asked("get", user=ACCOUNT, namespace="ns")).allowed, "the binding's own namespace"


def test_of_several_subjects_that_fit_the_first_is_named(rbac: Rbac, stored: Stored) -> None:
    stored.role("reader", "get : core : pods")
    stored.bind("b", "reader", "Group team", "User bob")
    assert rbac.decide(asked("get")).reason.endswith('to Group "team"')


@pytest.mark.parametrize(
    ("rule", "subresource", "allowed"),
    [
        ("get : core : pods", "", True),
        ("get : core : pods", "log", False),
        ("get : core : pods/log", "log", True),
        ("get : core : pods/log", "", False),
        ("get : core : */log", "log", True),
        ("get : core : */log", "exec", False),
        ("get : core : *", "log", True),
        ("get : core : pods/*", "log", False),
        ("* : core : pods", "", True),
        ("get : * : pods", "", True),
        ("get : apps : pods", "", False),
    ],
)
def test_what_a_rule_allows(rbac: Rbac, stored: Stored, rule: str, subresource: str, allowed: bool) -> None:
    stored.role("r", rule)
    stored.bind("b", "r", "User bob")
    assert rbac.decide(asked("get", subresource=subresource, namespace="a", name="p")).allowed is allowed


def test_resource_names_allow_those_names(rbac: Rbac, stored: Stored) -> None:
    stored.role("r", "get list : core : pods : one two")
    stored.bind("b", "r", "User bob")
    assert rbac.decide(asked("get", name="one")).allowed
    assert not rbac.decide(asked("get", name="three")).allowed
    assert not rbac.decide(asked("list")).allowed, "no name"
    assert rbac.decide(asked("list", name="two")).allowed, "a field selector names it"
    stored.role("all", "get : core : pods")
    stored.bind("c", "all", "User bob")
    assert rbac.decide(asked("get", name="three")).allowed


@pytest.mark.parametrize(
    ("url", "asked_for", "allowed"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/ping", False),
        ("/healthz/*", "/healthz/ping", True),
        ("/healthz/*", "/healthz", False),
        ("/heal*", "/healthz", True),
        ("*", "/metrics", True),
    ],
)
def test_paths(rbac: Rbac, stored: Stored, url: str, asked_for: str, allowed: bool) -> None:
    stored.role("r", f"get : {url}")
    stored.bind("b", "r", "User bob")
    stored.bind("ignored", "r", "User bob", namespace="a")
    assert rbac.decide(path("get", asked_for)).allowed is allowed
    assert not rbac.decide(path("post", asked_for)).allowed


def test_a_missing_role_is_told(rbac: Rbac, stored: Stored) -> None:
    stored.bind("b", "gone", "User bob")
    stored.bind("c", "gone", "Group team")
    stored.bind("d", "lost", "User bob", namespace="a", kind="Role")
    one = 'clusterrole.rbac.authorization.k8s.io "gone" not found'
    two = 'role.rbac.authorization.k8s.io "lost" not found'
    assert rbac.decide(asked("get")) == (False, f"RBAC: {one}")
    assert rbac.decide(asked("get", namespace="a")) == (False, f"RBAC: [{one}, {two}]")
    assert rbac.rules_for(BOB, "a") == ([], [one, one, two])


def test_every_change_counts_at_once(rbac: Rbac, stored: Stored) -> None:
    question = asked("get")
    stored.role("r", "get : core : pods")
    assert not rbac.decide(question).allowed
    stored.bind("b", "r", "User bob")
    assert rbac.decide(question).allowed
    stored.bind("b", "r", "User eve")
    assert not rbac.decide(question).allowed
    stored.bind("b", "r", "User eve", "Group team")
    assert rbac.decide(question).allowed
    stored.role("r", "get : core : secrets")
    assert not rbac.decide(question).allowed
    stored.role("r", "get : core : pods")
    assert rbac.decide(question).allowed
    stored.remove("clusterrolebindings.rbac.authorization.k8s.io", "", "b")
    assert not rbac.decide(question).allowed


def test_a_users_groups_are_part_of_who_they_are(rbac: Rbac, stored: Stored) -> None:
    stored.role("r", "get : core : pods")
    stored.bind("b", "r", "Group team")
    assert rbac.decide(asked("get")).allowed
    assert not rbac.decide(asked("get", user=authenticated("bob", groups=("other",)))).allowed


def test_rules_of_a_user_in_a_namespace(rbac: Rbac, stored: Stored) -> None:
    stored.role("everywhere", "get : core : nodes")
    stored.role("here", "get : core : pods", namespace="a")
    stored.bind("b", "everywhere", "User bob")
    stored.bind("b", "here", "User bob", namespace="a", kind="Role")
    rules, errors = rbac.rules_for(BOB, "a")
    assert [rule["resources"] for rule in rules] == [["nodes"], ["pods"]]
    assert errors == []
    assert len(rbac.rules_for(BOB, "")[0]) == 1


def test_strangers_fill_the_memory_to_its_bound(rbac: Rbac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorizer, "MOST_REMEMBERED", 100)
    for number in range(1000):
        rbac.decide(asked("get", f"r{number}", namespace=f"n{number % 7}"))
        rbac.decide(path("get", f"/x/{number}"))
        assert rbac.remembered <= 103


def test_long_texts_are_answered_and_not_remembered(rbac: Rbac, stored: Stored) -> None:
    stored.role("r", "get : core : *", "get : /x/*")
    stored.bind("b", "r", "User bob")
    rbac.decide(asked("get"))
    rbac.decide(path("get", "/"))
    before, long = rbac.remembered, "x" * LONGEST_REMEMBERED
    assert rbac.decide(asked("get", long)).allowed
    assert rbac.decide(asked("get", namespace=long)).allowed
    assert rbac.decide(path("get", f"/x/{long}")).allowed
    assert rbac.remembered <= before + 1
