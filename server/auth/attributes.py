"""What an authorizer decides about, who wants to do what to which resource or path, and what it answers."""

from typing import NamedTuple, Protocol

from kubeling.objects.errors import Forbidden, GroupResource, forbidden
from server.registry.context import UserInfo

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Attributes(NamedTuple):
    """One question to the authorizers. `path` counts only when `is_resource` is false."""

    user: UserInfo
    verb: str
    is_resource: bool = True
    path: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""

    def refusal(self, reason: str = "") -> Forbidden:
        """The error for a request that no authorizer allowed, worded as Kubernetes words it."""
        why = self._what().translate(_ESCAPED)
        why = f"{why}: {reason}" if reason else why
        if not self.is_resource:
            return Forbidden(f"forbidden: {why}", details={})
        return forbidden(GroupResource(self.group, self.resource), self.name, why)

    def _what(self) -> str:
        user = f'User "{self.user.name}"'
        if not self.is_resource:
            return f'{user} cannot {self.verb} path "{self.path}"'
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'{user} cannot {self.verb} resource "{resource}" in API group "{self.group}" {scope}'


class Decision(NamedTuple):
    """An authorizer's answer. Not allowed is no veto: the next authorizer is asked."""

    allowed: bool
    reason: str = ""
    """Which rule allows it, or what speaks against it."""


ALLOWED = Decision(True)
NO_OPINION = Decision(False)


class Authorizer(Protocol):
    def decide(self, request: Attributes) -> Decision:
        """Whether this authorizer allows the request."""
        ...
