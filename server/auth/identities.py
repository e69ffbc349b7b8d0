"""The users and groups that the server itself knows by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from server.registry.context import UserInfo

ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"

anonymous = UserInfo(ANONYMOUS, groups=(UNAUTHENTICATED,))


class Identity(NamedTuple):
    """A user, and how it is known."""

    user: UserInfo
    audiences: tuple[str, ...] = ()
    """Of a token: whom it is meant for, among those that were asked for."""
    holds: Callable[[], bool] | None = None
    """Whether the user may be taken for the same at the next request without being authenticated again; None:
    always."""


def authenticated(
    name: str,
    *,
    uid: str = "",
    groups: tuple[str, ...] = (),
    extra: Mapping[str, tuple[str, ...]] | None = None,
) -> UserInfo:
    """A user whose identity has been proved: a member of system:authenticated besides their own groups."""
    if AUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return UserInfo(name, uid=uid, groups=groups, extra=extra or {})


def node_name(user: UserInfo) -> str:
    """The node whose agent this user is, or ""."""
    if NODES in user.groups and user.name.startswith(NODE_PREFIX):
        return user.name.removeprefix(NODE_PREFIX)
    return ""
