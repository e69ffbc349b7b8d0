"""The kinds of certificates.k8s.io."""

from server.registry.groups.pod_certificate_request import PodCertificateRequests
from server.registry.groups.signing_request import SigningRequests
from server.registry.groups.subresources import status
from server.registry.groups.trust_bundles import TrustBundles
from server.registry.kind import Kind, Subresource

_GROUP = "certificates.k8s.io"


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
