"""Questions about users that are asked by creating an object: who am I, may I, may they, whose token is this.

Answers come from the authenticator and the authorizers; nothing is stored.
"""

from collections.abc import Mapping
from typing import Any

from kubeling.objects.errors import BadRequest, GroupResource
from kubeling.objects.meta import Object
from server.api.identity_reviews import TokenReviews, who_am_i
from server.auth.attributes import Attributes
from server.auth.authentication import Authenticator
from server.auth.authorization import Authorization
from server.registry.context import RequestContext, UserInfo
from server.registry.registry import Review

_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"


class Reviews:
    def __init__(self, authenticator: Authenticator, authorization: Authorization) -> None:
        self._authenticator = authenticator
        self._authorization = authorization

    def by_resource(self) -> Mapping[GroupResource, Review]:
        """What the registry asks for the kinds that can only be created."""
        return {
            GroupResource(_AUTHENTICATION, "selfsubjectreviews"): who_am_i,
            GroupResource(_AUTHENTICATION, "tokenreviews"): TokenReviews(self._authenticator),
            GroupResource(_AUTHORIZATION, "selfsubjectaccessreviews"): self.may_i,
            GroupResource(_AUTHORIZATION, "subjectaccessreviews"): self.may_they,
            GroupResource(_AUTHORIZATION, "localsubjectaccessreviews"): self.may_they,
            GroupResource(_AUTHORIZATION, "selfsubjectrulesreviews"): self.my_rules,
        }

    async def may_i(self, context: RequestContext, review: Object) -> Object:
        return self._judged(review, context.user)

    async def may_they(self, context: RequestContext, review: Object) -> Object:
        spec = review.get("spec") or {}
        groups = tuple(spec.get("groups") or ())
        return self._judged(
            review, UserInfo(spec.get("user") or "", uid=spec.get("uid") or "", groups=groups)
        )

    async def my_rules(self, context: RequestContext, review: Object) -> Object:
        """Only superusers' rules can be listed as long as there are no roles."""
        probe = Attributes(context.user, "*", group="*", resource="*")
        everything = self._authorization.allows(probe)
        status: Object = {"resourceRules": [], "nonResourceRules": [], "incomplete": not everything}
        if everything:
            status["resourceRules"] = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
            status["nonResourceRules"] = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
        return review | {"status": status}

    def _judged(self, review: Object, user: UserInfo) -> Object:
        question = _question(review.get("spec") or {}, user)
        allowed = self._authorization.allows(question)
        return review | {"status": {"allowed": allowed}}


def _question(spec: Mapping[str, Any], user: UserInfo) -> Attributes:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        raise BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if resource is None:
        asked = path or {}
        return Attributes(user, asked.get("verb") or "", is_resource=False, path=asked.get("path") or "")
    return Attributes(
        user,
        resource.get("verb") or "",
        group=resource.get("group") or "",
        version=resource.get("version") or "",
        namespace=resource.get("namespace") or "",
        resource=resource.get("resource") or "",
        subresource=resource.get("subresource") or "",
        name=resource.get("name") or "",
    )
