"""May this user do that? The authorizers in their order; whatever none of them allows is forbidden.

Roles are not here yet: superusers may do all, nodes what `nodes` lists, everyone authenticated may ask about
themselves and read discovery, and everyone may see health and version.
"""

from collections.abc import Sequence

from server.auth.attributes import Attributes, Authorizer
from server.auth.identities import AUTHENTICATED, CONTROLLER_MANAGER, MASTERS, SCHEDULER
from server.auth.nodes import NodeAuthorizer

_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version")
_DISCOVERY_PATHS = ("/api", "/apis", "/openapi", "/healthz", "/livez", "/readyz", "/version", "/.well-known")
_REVIEWS = frozenset(
    {
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
    }
)


class Superusers:
    """system:masters and the server's own controllers may do all."""

    _names = frozenset({CONTROLLER_MANAGER, SCHEDULER})

    def allows(self, request: Attributes) -> bool:
        return MASTERS in request.user.groups or request.user.name in self._names


class EveryoneElse:
    """Health and version for all; discovery and questions about oneself for all who are authenticated."""

    def allows(self, request: Attributes) -> bool:
        known = AUTHENTICATED in request.user.groups
        if request.is_resource:
            return known and request.verb == "create" and (request.group, request.resource) in _REVIEWS
        paths = _DISCOVERY_PATHS if known else _PUBLIC_PATHS
        return request.verb in ("get", "head") and any(_under(request.path, path) for path in paths)


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


class Authorization:
    """Asks each authorizer in turn."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    @classmethod
    def standard(cls) -> "Authorization":
        return cls([Superusers(), NodeAuthorizer(), EveryoneElse()])

    def allows(self, request: Attributes) -> bool:
        return any(authorizer.allows(request) for authorizer in self._authorizers)

    def check(self, request: Attributes) -> None:
        """Let the request pass.

        Raises:
            Forbidden: no authorizer allows it.
        """
        if not self.allows(request):
            raise request.refusal()
