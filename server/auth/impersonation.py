"""Acting as somebody else: the Impersonate-* headers, and whether the one who sends them may use them.

Whether a user may impersonate is for the authorizers, as for every other verb: one question for each user,
group, uid and extra that is named.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from kubeling.objects.errors import BadRequest
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.identities import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED
from server.registry.context import UserInfo

Headers = CIMultiDictProxy[str]

_USER, _GROUP, _UID, _EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_GROUP_OF_USERS = "authentication.k8s.io"


def acting_user(user: UserInfo, headers: Headers, authorization: Authorization) -> UserInfo:
    """The user in whose name a request of `user` is made.

    Raises:
        Forbidden: the user may not act as that one.
        BadRequest: there is a group, uid or extra to be, but no user.
    """
    name = headers.get(_USER, "")
    if not name:
        if _GROUP in headers or _UID in headers:
            raise BadRequest("groups, a uid or extras cannot be impersonated without impersonating a user")
        return user
    wanted = UserInfo(
        name, headers.get(_UID, ""), tuple(headers.getall(_GROUP, ())), extra=dict(_extra(headers))
    )
    for question in _questions(user, wanted):
        authorization.check(question)
    return UserInfo(name, wanted.uid, _with_implied(name, wanted.groups), extra=wanted.extra)


def _extra(headers: Headers) -> Iterator[tuple[str, tuple[str, ...]]]:
    for header in dict.fromkeys(header.lower() for header in headers):
        if header.startswith(_EXTRA):
            yield unquote(header.removeprefix(_EXTRA)), tuple(headers.getall(header))


def _questions(user: UserInfo, wanted: UserInfo) -> Iterator[Attributes]:
    account = _account(wanted.name)
    if account:
        namespace, name = account
        yield Attributes(
            user, "impersonate", version="v1", namespace=namespace, resource="serviceaccounts", name=name
        )
    else:
        yield Attributes(user, "impersonate", version="v1", resource="users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes(user, "impersonate", version="v1", resource="groups", name=group)
    yield from _questions_of_detail(user, wanted)


def _questions_of_detail(user: UserInfo, wanted: UserInfo) -> Iterator[Attributes]:
    asked = Attributes(user, "impersonate", group=_GROUP_OF_USERS, version="v1")
    if wanted.uid:
        yield asked._replace(resource="uids", name=wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield asked._replace(resource="userextras", subresource=key, name=value)


def _account(name: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user name."""
    if not name.startswith(_ACCOUNT):
        return None
    namespace, colon, account = name.removeprefix(_ACCOUNT).partition(":")
    return (namespace, account) if colon and namespace and account else None


def _with_implied(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups, with those that go without saying."""
    account = _account(name)
    if account and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    implied = UNAUTHENTICATED if name == ANONYMOUS else AUTHENTICATED
    return groups if implied in groups or UNAUTHENTICATED in groups else (*groups, implied)
