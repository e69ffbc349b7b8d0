"""authorization.k8s.io: may I, may they, and what may I. Answered by the authorizers; nothing is stored.

What the reviews must look like is in `server.registry.groups.authorization`.
"""

from collections.abc import Mapping
from typing import Any

from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.api.review_selectors import field_selector, label_selector
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.rbac import aggregated
from server.registry.context import RequestContext, UserInfo


class AccessReviews:
    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    async def may_i(self, context: RequestContext, review: Object) -> Object:
        """SelfSubjectAccessReview."""
        return self._judged(review, context.user)

    async def may_they(self, context: RequestContext, review: Object) -> Object:
        """SubjectAccessReview and LocalSubjectAccessReview."""
        spec = review.get("spec") or {}
        extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
        user = UserInfo(
            spec.get("user") or "",
            uid=spec.get("uid") or "",
            groups=tuple(spec.get("groups") or ()),
            extra=extra,
        )
        return self._judged(review, user)

    async def my_rules(self, context: RequestContext, review: Object) -> Object:
        """SelfSubjectRulesReview.

        Raises:
            BadRequest: it names no namespace.
        """
        namespace = (review.get("spec") or {}).get("namespace") or ""
        if not namespace:
            raise BadRequest("no namespace on request")
        found = self._authorization.rules_for(context.user, namespace)
        status: Object = {
            "resourceRules": [_resource_rule(rule) for rule in found.rules if rule.get("resources")],
            "nonResourceRules": [_url_rule(rule) for rule in found.rules if rule.get("nonResourceURLs")],
            "incomplete": found.incomplete,
        }
        if found.errors:
            status["evaluationError"] = aggregated(found.errors)
        return review | {"status": status}

    def _judged(self, review: Object, user: UserInfo) -> Object:
        question, errors = _question(review.get("spec") or {}, user)
        decision = self._authorization.decide(question)
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        if errors:
            status["evaluationError"] = aggregated(errors)
        return review | {"status": status}


def _question(spec: Mapping[str, Any], user: UserInfo) -> tuple[Attributes, list[str]]:
    """What is asked, and what of the selectors could not be understood."""
    resource = spec.get("resourceAttributes")
    if resource is None:
        path = spec.get("nonResourceAttributes") or {}
        asked = Attributes(user, path.get("verb") or "", is_resource=False, path=path.get("path") or "")
        return asked, []
    errors: list[str] = []
    asked = Attributes(
        user,
        resource.get("verb") or "",
        group=resource.get("group") or "",
        version=resource.get("version") or "*",
        namespace=resource.get("namespace") or "",
        resource=resource.get("resource") or "",
        subresource=resource.get("subresource") or "",
        name=resource.get("name") or "",
        field_selector=field_selector(resource.get("fieldSelector"), errors),
        label_selector=label_selector(resource.get("labelSelector"), errors),
    )
    return asked, errors


def _resource_rule(rule: Mapping[str, Any]) -> Object:
    return _picked(rule, "verbs", "apiGroups", "resources", "resourceNames")


def _url_rule(rule: Mapping[str, Any]) -> Object:
    return _picked(rule, "verbs", "nonResourceURLs")


def _picked(rule: Mapping[str, Any], *keys: str) -> Object:
    return {key: rule[key] for key in keys if rule.get(key)}
