"""What an authorizer decides about: who wants to do what to which resource or path."""

from typing import NamedTuple, Protocol

from kubeling.objects.errors import Forbidden, GroupResource, forbidden
from server.registry.context import UserInfo


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

    def refusal(self) -> Forbidden:
        """The error for a request that no authorizer allowed, worded as Kubernetes words it."""
        if not self.is_resource:
            why = f'User "{self.user.name}" cannot {self.verb} path "{self.path}"'
            return Forbidden(f"forbidden: {why}", details={})
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        what = f'cannot {self.verb} resource "{resource}" in API group "{self.group}" {scope}'
        return forbidden(
            GroupResource(self.group, self.resource), self.name, f'User "{self.user.name}" {what}'
        )


class Authorizer(Protocol):
    def allows(self, request: Attributes) -> bool:
        """Whether this authorizer allows the request. False is no veto: the next authorizer is asked."""
        ...
