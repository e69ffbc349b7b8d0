"""Acting as somebody else: the Impersonate-* headers. Who may use them is for `impersonation_modes`."""

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from kubeling.objects.errors import BadRequest, Forbidden
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.impersonation_modes import MODES
from server.registry.context import UserInfo

Headers = CIMultiDictProxy[str]

_PREFIX = "impersonate-"
_USER, _GROUP, _UID, _EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "impersonate-extra-"


def acting_user(
    user: UserInfo, headers: Headers, authorization: Authorization, request: Callable[[], Attributes]
) -> UserInfo:
    """The user in whose name a request of `user` is made; `request` is what authorizers are asked about it.

    Raises:
        Forbidden: the user may not act as that one.
        BadRequest: there is a group, uid or extra to be, but no user.
    """
    if _PREFIX not in " ".join(headers).lower():
        return user
    name, uid = _text(headers.get(_USER, "")), _text(headers.get(_UID, ""))
    groups = tuple(map(_text, headers.getall(_GROUP, ())))
    wanted = UserInfo(name, uid, groups, extra=dict(_extra(headers)))
    if name:
        return _allowed(wanted, authorization, request())
    if groups or uid or wanted.extra:
        raise BadRequest(f"requested {_as_go_writes(wanted)} without impersonating a user name")
    return user


def _extra(headers: Headers) -> Iterator[tuple[str, tuple[str, ...]]]:
    for header in dict.fromkeys(header.lower() for header in headers):
        if header.startswith(_EXTRA):
            yield unquote(_text(header.removeprefix(_EXTRA))), tuple(map(_text, headers.getall(header)))


def _text(value: str) -> str:
    """What is no Unicode in a header is shown as such: names go into JSON."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _allowed(wanted: UserInfo, authorization: Authorization, request: Attributes) -> UserInfo:
    """The user, complete. When no mode allows it, what the first had to say is raised."""
    refusals = []
    for mode in MODES:
        if mode.applies(request.user, wanted):
            try:
                mode.check(wanted, request, authorization)
            except Forbidden as error:
                refusals.append(error)
            else:
                return mode.completed(wanted)
    raise refusals[0]


def _as_go_writes(user: UserInfo) -> str:
    extra = ", ".join(f'"{key}":{_texts(values)}' for key, values in sorted(user.extra.items()))
    shown = f"map[string][]string{{{extra}}}" if extra else "map[string][]string(nil)"
    groups = f"[]string{_texts(user.groups)}" if user.groups else "[]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:"{user.uid}", Groups:{groups}, Extra:{shown}}}'


def _texts(values: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{value}"' for value in values) + "}"
