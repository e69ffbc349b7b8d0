"""The kinds of admissionregistration.k8s.io."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind

_GROUP, _EXTENSIONS = "admissionregistration.k8s.io", ("api-extensions",)


def _kind(kind: str, plural: str, *, has_status: bool = False) -> Kind:
    return Kind(
        _GROUP,
        kind,
        plural,
        Generational(),
        namespaced=False,
        categories=_EXTENSIONS,
        subresources=status(kind) if has_status else {},
    )


KINDS = (
    _kind("MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    _kind("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    _kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    _kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies", has_status=True),
    _kind("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    _kind("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
)
