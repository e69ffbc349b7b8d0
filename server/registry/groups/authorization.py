"""The kinds of authorization.k8s.io: reviews, answered by `server.api` and never stored."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors
from server.registry.causes import forbidden, invalid, invalids, misfit, required
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_RESOURCE, _PATH = "spec.resourceAttributes", "spec.nonResourceAttributes"
_IN, _NOT = ("In", "NotIn"), ("Exists", "DoesNotExist")

CheckKey = Callable[[str, str], Sequence[Cause]]


class AccessReview(Strategy):
    """SelfSubjectAccessReview; the others ask for a user as well."""

    def validate_create(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        causes: list[Cause] = []
        if resource is not None and path is not None:
            causes.append(misfit(_PATH, "cannot be specified in combination with resourceAttributes"))
        if resource is None and path is None:
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            causes.append(misfit(_RESOURCE, f"null: {why}"))
        causes += self._subject_causes(spec)
        if resource is not None:
            causes += _selector_causes(resource)
        return causes + self._place_causes(obj)

    def _subject_causes(self, spec: Mapping[str, Any]) -> list[Cause]:
        return []

    def _place_causes(self, obj: Object) -> list[Cause]:
        return [] if not _metadata(obj) else [misfit("metadata", "must be empty")]


class SubjectAccessReview(AccessReview):
    def _subject_causes(self, spec: Mapping[str, Any]) -> list[Cause]:
        if spec.get("user") or spec.get("groups"):
            return []
        return [invalid("spec.user", "", "at least one of user or group must be specified")]


class LocalSubjectAccessReview(SubjectAccessReview):
    def _place_causes(self, obj: Object) -> list[Cause]:
        metadata, spec = _metadata(obj), obj.get("spec") or {}
        namespace = metadata.pop("namespace", "")
        causes = [misfit("metadata", "must be empty except for namespace")] if metadata else []
        resource = spec.get("resourceAttributes")
        asked = (resource or {}).get("namespace") or ""
        if resource is not None and asked != namespace:
            causes.append(invalid(f"{_RESOURCE}.namespace", asked, "must match metadata.namespace"))
        if spec.get("nonResourceAttributes") is not None:
            causes.append(misfit(_PATH, "disallowed on this kind of request"))
        return causes


def _metadata(obj: Object) -> Object:
    kept = {key: value for key, value in (obj.get("metadata") or {}).items() if value}
    kept.pop("managedFields", None)
    return kept


def _selector_causes(resource: Mapping[str, Any]) -> list[Cause]:
    fields = _one_selector(resource.get("fieldSelector"), f"{_RESOURCE}.fieldSelector", _field_key)
    labels = _one_selector(resource.get("labelSelector"), f"{_RESOURCE}.labelSelector", _label_key)
    return fields + labels


def _one_selector(selector: Mapping[str, Any] | None, field: str, check_key: CheckKey) -> list[Cause]:
    if selector is None:
        return []
    raw, requirements = selector.get("rawSelector") or "", selector.get("requirements") or ()
    causes: list[Cause] = []
    if raw and requirements:
        why = "may not specified at the same time as requirements"
        causes.append(invalid(f"{field}.rawSelector", raw, why))
    if not raw and not requirements:
        why = f"when {field} is specified, requirements or rawSelector is required"
        causes.append(required(f"{field}.requirements", why))
    for position, requirement in enumerate(requirements):
        causes += _requirement_causes(requirement, f"{field}.requirements[{position}]", check_key)
    return causes


def _requirement_causes(requirement: Mapping[str, Any], field: str, check_key: CheckKey) -> list[Cause]:
    causes = list(check_key(f"{field}.key", requirement.get("key") or ""))
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if operator in _IN and not values:
        why = "must be specified when `operator` is 'In' or 'NotIn'"
        causes.append(required(f"{field}.values", why))
    if operator in _NOT and values:
        why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        causes.append(forbidden(f"{field}.values", why))
    return causes


def _field_key(field: str, key: str) -> Sequence[Cause]:
    return [] if key else [required(field, "must be specified")]


def _label_key(field: str, key: str) -> Sequence[Cause]:
    return invalids(field, key, qualified_name_errors(key))


def _review(kind: str, plural: str, strategy: Strategy, *, namespaced: bool = False) -> Kind:
    return Kind("authorization.k8s.io", kind, plural, strategy, namespaced=namespaced, verbs=("create",))


KINDS = (
    _review(
        "LocalSubjectAccessReview", "localsubjectaccessreviews", LocalSubjectAccessReview(), namespaced=True
    ),
    _review("SelfSubjectAccessReview", "selfsubjectaccessreviews", AccessReview()),
    _review("SelfSubjectRulesReview", "selfsubjectrulesreviews", Strategy()),
    _review("SubjectAccessReview", "subjectaccessreviews", SubjectAccessReview()),
)
