"""Registration of admissionregistration.k8s.io's kinds."""

from server.registry.groups.admissionregistration.policies import (
    MutatingBindings,
    MutatingPolicies,
    Policies,
    ValidatingBindings,
)
from server.registry.groups.admissionregistration.webhooks import MutatingWebhooks, Webhooks
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP, _EXTENSIONS = "admissionregistration.k8s.io", ("api-extensions",)


def _kind(kind: str, plural: str, strategy: Strategy, *, has_status: bool = False) -> Kind:
    return Kind(
        _GROUP,
        kind,
        plural,
        strategy,
        namespaced=False,
        categories=_EXTENSIONS,
        subresources=status(kind) if has_status else {},
    )


KINDS = (
    _kind("MutatingAdmissionPolicy", "mutatingadmissionpolicies", MutatingPolicies()),
    _kind("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", MutatingBindings()),
    _kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", MutatingWebhooks()),
    _kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies", Policies(), has_status=True),
    _kind("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", ValidatingBindings()),
    _kind("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", Webhooks()),
)
