"""The kinds of authorization.k8s.io: reviews, answered and never stored."""

from server.registry.kind import Kind
from server.registry.strategy import Strategy


def _review(kind: str, plural: str, *, namespaced: bool = False) -> Kind:
    return Kind("authorization.k8s.io", kind, plural, Strategy(), namespaced=namespaced, verbs=("create",))


KINDS = (
    _review("LocalSubjectAccessReview", "localsubjectaccessreviews", namespaced=True),
    _review("SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    _review("SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    _review("SubjectAccessReview", "subjectaccessreviews"),
)
