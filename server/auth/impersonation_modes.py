"""Who may act as whom: the sorts of impersonation, and what each asks of the authorizers.

The old verb `impersonate` allows everything that the other user may do. The constrained modes allow it for
certain requests only: besides the identity (`impersonate:MODE` on it) the request itself must be granted, as
`impersonate-on:MODE:VERB`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kubeling.objects.names import label_errors, subdomain_errors
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.identities import ANONYMOUS, AUTHENTICATED, MASTERS, NODE_PREFIX, NODES, UNAUTHENTICATED
from server.registry.context import UserInfo

_ACCOUNT = "system:serviceaccount:"
_NODE_NAME = "authentication.kubernetes.io/node-name"
_NODE_KEYS = "authentication.kubernetes.io/associated-node-keys"
_AUTHENTICATION = "authentication.k8s.io"
_MANY = 4
"""So many groups or extras may be granted all at once, by a rule for `*`."""

Applies = Callable[[UserInfo, UserInfo], bool]
"""Whether a mode is for (this requestor) becoming (that user)."""


@dataclass(frozen=True)
class Mode:
    """One sort of impersonation; the old, unconstrained one has no name."""

    name: str
    applies: Applies

    def check(self, wanted: UserInfo, request: Attributes, authorization: Authorization) -> None:
        """
        Raises:
            Forbidden: the request's user may not do this as the wanted one.
        """
        if self.name:
            verb = f"impersonate-on:{self.name}:{request.verb}"
            authorization.check(request._replace(user=self._requestor(request.user), verb=verb))
        verb = f"impersonate:{self.name}" if self.name else "impersonate"
        question = Attributes(self._requestor(request.user), verb, version="v1")
        named = question._replace(group=_AUTHENTICATION if self.name else "")
        authorization.check(self._about_name(named, wanted.name))
        detail = question._replace(group=_AUTHENTICATION)
        if wanted.uid:
            authorization.check(detail._replace(resource="uids", name=wanted.uid))
        self._check_groups(named._replace(resource="groups"), wanted.groups, authorization)
        self._check_extra(detail._replace(resource="userextras"), wanted.extra, authorization)

    def completed(self, wanted: UserInfo) -> UserInfo:
        """The user with the groups that go without saying."""
        groups, account = wanted.groups, account_of(wanted.name)
        if self.name and node_of(wanted.name):
            groups = (NODES,)
        elif account and not groups:
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
        implied = UNAUTHENTICATED if wanted.name == ANONYMOUS else AUTHENTICATED
        if implied not in groups and UNAUTHENTICATED not in groups:
            groups = (*groups, implied)
        return replace(wanted, groups=groups)

    def _requestor(self, user: UserInfo) -> UserInfo:
        """An agent that becomes its own node is asked about in the same words on every node."""
        return replace(user, extra={_NODE_KEYS: tuple(sorted(user.extra))}) if self is _ASSOCIATED else user

    def _about_name(self, question: Attributes, name: str) -> Attributes:
        account = account_of(name)
        if account:
            namespace, own = account
            return question._replace(resource="serviceaccounts", namespace=namespace, name=own)
        node = node_of(name) if self.name else ""
        if node:
            return question._replace(resource="nodes", name="*" if self is _ASSOCIATED else node)
        return question._replace(resource="users", name=name)

    def _check_groups(
        self, question: Attributes, groups: Sequence[str], authorization: Authorization
    ) -> None:
        if self.name and "" in groups:
            raise question.refusal("impersonating the empty string group is not allowed")
        if self.name and MASTERS in groups:
            why = f"impersonating the {MASTERS} group is not allowed"
            raise question._replace(name=MASTERS).refusal(why)
        if self.name and len(groups) >= _MANY and authorization.allows(question._replace(name="*")):
            return
        for group in groups:
            authorization.check(question._replace(name=group))

    def _check_extra(
        self, question: Attributes, extra: Mapping[str, Sequence[str]], authorization: Authorization
    ) -> None:
        problem = _extra_problem(extra) if self.name else ""
        if problem:
            raise question.refusal(problem)
        many = len(extra) >= _MANY or sum(map(len, extra.values())) >= _MANY
        if self.name and many and authorization.allows(question._replace(subresource="*", name="*")):
            return
        for key, values in extra.items():
            for value in values:
                authorization.check(question._replace(subresource=key, name=value))


def _extra_problem(extra: Mapping[str, Sequence[str]]) -> str:
    for key, values in extra.items():
        domain, slash, path = key.partition("/")
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        if not slash or not path or subdomain_errors(domain):
            why = f'extra.key: Invalid value: "{key}": must be a domain-prefixed path (such as "acme.io/foo")'
            return f"impersonating an invalid key in extra is not allowed: {why}"
        if "" in values:
            return "impersonating the empty string value in extra is not allowed"
    return ""


def account_of(name: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user name."""
    if not name.startswith(_ACCOUNT):
        return None
    parts = name.removeprefix(_ACCOUNT).split(":")
    if len(parts) != 2 or label_errors(parts[0]) or subdomain_errors(parts[1]):
        return None
    return parts[0], parts[1]


def node_of(name: str) -> str:
    """The node of an agent's user name, or ""."""
    node = name.removeprefix(NODE_PREFIX)
    return "" if node == name or subdomain_errors(node) else node


def _only_named(wanted: UserInfo) -> bool:
    return not (wanted.uid or wanted.groups or wanted.extra)


def _own_node(requestor: UserInfo, wanted: UserInfo) -> bool:
    node = node_of(wanted.name)
    own = account_of(requestor.name) is not None and requestor.extra.get(_NODE_NAME) == (node,)
    return bool(node) and own and _only_named(wanted)


_ASSOCIATED = Mode("associated-node", _own_node)

MODES = (
    _ASSOCIATED,
    Mode("arbitrary-node", lambda _, wanted: bool(node_of(wanted.name)) and _only_named(wanted)),
    Mode("serviceaccount", lambda _, wanted: bool(account_of(wanted.name)) and _only_named(wanted)),
    Mode("user-info", lambda _, wanted: not node_of(wanted.name) and not account_of(wanted.name)),
    Mode("", lambda *_: True),
)
"""In the order in which they are tried."""
