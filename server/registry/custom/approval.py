"""Groups of Kubernetes' own community (*.k8s.io, *.kubernetes.io): their definitions name an approval."""

from typing import NamedTuple
from urllib.parse import urlsplit

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid, required
from server.registry.custom.definition import APPROVAL

_PROTECTED = ("k8s.io", "kubernetes.io")
_MUST = f'protected groups must have approval annotation "{APPROVAL}"'
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
_FIELD = f"metadata.annotations[{APPROVAL}]"


class Approval(NamedTuple):
    status: str
    """Of the condition KubernetesAPIApprovalPolicyConformant."""
    reason: str
    message: str


def is_protected(group: str) -> bool:
    return any(group == each or group.endswith(f".{each}") for each in _PROTECTED)


def approval(obj: Object) -> Approval:
    """What the annotation of a definition says."""
    text = meta.annotations(obj).get(APPROVAL, "")
    if not text:
        return Approval("False", "MissingAnnotation", f"{_MUST}, {_SEE}")
    if text.startswith("unapproved"):
        return Approval("False", "UnapprovedAnnotation", f'not approved: "{text}"')
    if _is_url(text):
        return Approval("True", "ApprovedAnnotation", f"approved in {text}")
    why = f'{_MUST} with either a URL or a reason starting with "unapproved", {_SEE}'
    return Approval("False", "InvalidAnnotation", why)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def approval_causes(obj: Object, old: Object | None) -> list[Cause]:
    """An annotation that is missing or invalid; one that was so already may stay."""
    if not is_protected(obj["spec"].get("group") or ""):
        return []
    found = approval(obj)
    if old is not None and approval(old).reason == found.reason:
        return []
    if found.reason == "MissingAnnotation":
        return [required(_FIELD, found.message)]
    if found.reason == "InvalidAnnotation":
        return [invalid(_FIELD, meta.annotations(obj)[APPROVAL], found.message)]
    return []
