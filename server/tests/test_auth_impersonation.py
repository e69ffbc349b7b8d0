"""Acting as somebody else."""

from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from kubeling.objects.errors import BadRequest, Forbidden
from server.auth.authorization import Authorization
from server.auth.identities import authenticated
from server.auth.impersonation import acting_user
from server.registry.context import UserInfo
from server.tests.rbac_objects import Stored

ADMIN = authenticated("admin", groups=("system:masters",))


def acting(*headers: tuple[str, str], user: UserInfo = ADMIN) -> UserInfo:
    return acting_user(user, CIMultiDictProxy(CIMultiDict(headers)), Authorization.standard(Stored()))


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
    ("name", "message"),
    [
        (
            "bob",
            'users "bob" is forbidden: User "eve" cannot impersonate resource "users" in API group ""'
            " at the cluster scope",
        ),
        (
            "system:serviceaccount:ns:sa",
            'serviceaccounts "sa" is forbidden: User "eve" cannot impersonate resource "serviceaccounts"'
            ' in API group "" in the namespace "ns"',
        ),
    ],
)
def test_who_may_not_is_refused(name: str, message: str) -> None:
    with pytest.raises(Forbidden) as refused:
        acting(("Impersonate-User", name), user=authenticated("eve"))
    assert refused.value.message == message


async def test_a_request_in_the_name_of_another_has_the_others_rights(api: Any) -> None:
    answer = await api.get("/api/v1/pods", Impersonate_User="bob")
    assert (answer.status, 'User "bob" cannot list' in answer.message) == (403, True)
    assert (await api.get("/api/v1/pods")).status == 200
