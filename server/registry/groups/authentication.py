"""The kinds of authentication.k8s.io: reviews, answered and never stored."""

from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP, _REVIEW = "authentication.k8s.io", ("create",)

KINDS = (
    Kind(_GROUP, "SelfSubjectReview", "selfsubjectreviews", Strategy(), namespaced=False, verbs=_REVIEW),
    Kind(_GROUP, "TokenReview", "tokenreviews", Strategy(), namespaced=False, verbs=_REVIEW),
)
