"""Acting as somebody else."""

from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from kubeling.objects.errors import BadRequest, Forbidden
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.identities import authenticated
from server.auth.impersonation import acting_user
from server.registry.context import UserInfo
from server.tests.rbac_objects import Stored

ADMIN = authenticated("admin", groups=("system:masters",))


def acting(
    *headers: tuple[str, str], user: UserInfo = ADMIN, stored: Stored | None = None, verb: str = "list"
) -> UserInfo:
    authorization = Authorization.standard(stored or Stored())
    request = Attributes(user, verb, version="v1", namespace="a", resource="pods")
    return acting_user(user, CIMultiDictProxy(CIMultiDict(headers)), authorization, lambda: request)


def test_without_headers_one_is_oneself() -> None:
    assert acting() is ADMIN


def test_all_of_a_user_can_be_named() -> None:
    found = acting(
        ("impersonate-user", "bob"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Uid", "u"),
        ("Impersonate-Extra-Example.org%2fScopes", "read"),
    )
    assert found == UserInfo(
        "bob", "u", ("a", "b", "system:authenticated"), {"example.org/scopes": ("read",)}
    )


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("bob", ("system:authenticated",)),
        ("system:anonymous", ("system:unauthenticated",)),
        (
            "system:serviceaccount:ns:sa",
            ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"),
        ),
    ],
)
def test_groups_that_go_without_saying_are_added(name: str, groups: tuple[str, ...]) -> None:
    assert acting(("Impersonate-User", name)).groups == groups


def test_a_group_needs_a_user() -> None:
    with pytest.raises(BadRequest):
        acting(("Impersonate-Group", "system:masters"))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("bob", "user-info"),
        ("system:serviceaccount:ns:sa", "serviceaccount"),
        ("system:node:n1", "arbitrary-node"),
    ],
)
def test_who_may_not_is_refused_in_the_words_of_the_first_mode(name: str, mode: str) -> None:
    with pytest.raises(Forbidden) as refused:
        acting(("Impersonate-User", name), user=authenticated("eve"))
    assert refused.value.message == (
        f'pods is forbidden: User "eve" cannot impersonate-on:{mode}:list resource "pods" in API group ""'
        ' in the namespace "a"'
    )


EVE = authenticated("eve")
AGENT = authenticated(
    "system:serviceaccount:ns:agent", extra={"authentication.kubernetes.io/node-name": ("n1",)}
)


@pytest.mark.parametrize(
    ("rules", "headers"),
    [
        (["impersonate : core : users : bob"], [("Impersonate-User", "bob")]),
        (
            ["impersonate : core : users groups", "impersonate : authentication.k8s.io : uids userextras/x"],
            [
                ("Impersonate-User", "bob"),
                ("Impersonate-Group", "a"),
                ("Impersonate-Uid", "u"),
                ("Impersonate-Extra-X", "v"),
            ],
        ),
    ],
)
def test_the_old_verb_allows_everything(rules: list[str], headers: list[tuple[str, str]]) -> None:
    stored = Stored()
    stored.role("r", *rules)
    stored.bind("b", "r", "User eve")
    assert acting(*headers, user=EVE, stored=stored, verb="delete").name == "bob"


def test_constrained_impersonation_is_for_one_sort_of_request() -> None:
    stored = Stored()
    stored.role("who", "impersonate:user-info : authentication.k8s.io : users : bob")
    stored.role("what", "impersonate-on:user-info:list : core : pods")
    stored.bind("who", "who", "User eve")
    stored.bind("what", "what", "User eve", namespace="a")
    bob = ("Impersonate-User", "bob")
    assert acting(bob, user=EVE, stored=stored).groups == ("system:authenticated",)
    with pytest.raises(Forbidden, match="cannot impersonate-on:user-info:delete resource"):
        acting(bob, user=EVE, stored=stored, verb="delete")
    with pytest.raises(Forbidden, match=r'users.authentication.k8s.io "ann" is forbidden: User "eve" c'):
        acting(("Impersonate-User", "ann"), user=EVE, stored=stored)
    with pytest.raises(Forbidden, match="impersonating the system:masters group is not allowed"):
        acting(bob, ("Impersonate-Group", "system:masters"), user=EVE, stored=stored)


def test_an_agent_may_become_the_node_that_it_runs_on() -> None:
    stored = Stored()
    stored.role(
        "agent",
        "impersonate:associated-node : authentication.k8s.io : nodes",
        "impersonate-on:associated-node:list : core : pods",
    )
    stored.bind("agent", "agent", "ServiceAccount ns/agent")
    node = acting(("Impersonate-User", "system:node:n1"), user=AGENT, stored=stored)
    assert node.groups == ("system:nodes", "system:authenticated")
    with pytest.raises(Forbidden):
        acting(("Impersonate-User", "system:node:n2"), user=AGENT, stored=stored)


def test_what_is_said_when_the_user_is_missing() -> None:
    with pytest.raises(BadRequest) as refused:
        acting(("Impersonate-Group", "a"), ("Impersonate-Extra-X", "y"))
    assert refused.value.message == (
        'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"a"},'
        ' Extra:map[string][]string{"x":{"y"}}} without impersonating a user name'
    )


async def test_a_request_in_the_name_of_another_has_the_others_rights(api: Any) -> None:
    answer = await api.get("/api/v1/pods", Impersonate_User="bob")
    assert (answer.status, 'User "bob" cannot list' in answer.message) == (403, True)
    assert (await api.get("/api/v1/pods")).status == 200
