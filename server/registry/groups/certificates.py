"""The kinds of certificates.k8s.io."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import immutable
from server.registry.groups.signing_request import SigningRequests
from server.registry.groups.subresources import status
from server.registry.groups.trust_bundles import TrustBundles
from server.registry.kind import Kind, Subresource
from server.registry.strategy import Strategy

_GROUP = "certificates.k8s.io"


class PodCertificateRequests(Strategy):
    selectable = ("spec.signerName", "spec.podName", "spec.nodeName")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [immutable("spec", obj.get("spec"))]


KINDS = (
    Kind(
        _GROUP,
        "CertificateSigningRequest",
        "certificatesigningrequests",
        SigningRequests(),
        namespaced=False,
        short_names=("csr",),
        subresources={
            "approval": Subresource("CertificateSigningRequest", ("get", "patch", "update")),
            **status("CertificateSigningRequest"),
        },
    ),
    Kind(_GROUP, "ClusterTrustBundle", "clustertrustbundles", TrustBundles(), namespaced=False),
    Kind(
        _GROUP,
        "PodCertificateRequest",
        "podcertificaterequests",
        PodCertificateRequests(),
        subresources=status("PodCertificateRequest"),
    ),
)
