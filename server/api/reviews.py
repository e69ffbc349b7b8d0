"""Which review is answered by whom: questions about users that are asked by creating an object."""

from collections.abc import Mapping

from kubeling.objects.errors import GroupResource
from server.api.access_reviews import AccessReviews
from server.api.identity_reviews import TokenReviews, who_am_i
from server.auth.authentication import Authenticator
from server.auth.authorization import Authorization
from server.registry.registry import Review

_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"


class Reviews:
    def __init__(self, authenticator: Authenticator, authorization: Authorization) -> None:
        self._authenticator = authenticator
        self._access = AccessReviews(authorization)

    def by_resource(self) -> Mapping[GroupResource, Review]:
        """What the registry asks for the kinds that can only be created."""
        return {
            GroupResource(_AUTHENTICATION, "selfsubjectreviews"): who_am_i,
            GroupResource(_AUTHENTICATION, "tokenreviews"): TokenReviews(self._authenticator),
            GroupResource(_AUTHORIZATION, "selfsubjectaccessreviews"): self._access.may_i,
            GroupResource(_AUTHORIZATION, "subjectaccessreviews"): self._access.may_they,
            GroupResource(_AUTHORIZATION, "localsubjectaccessreviews"): self._access.may_they,
            GroupResource(_AUTHORIZATION, "selfsubjectrulesreviews"): self._access.my_rules,
        }
