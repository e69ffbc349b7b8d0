"""The kinds of certificates.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import columns
from server.registry.groups.plain import PathNamed
from server.registry.groups.signing_request import SigningRequests
from server.registry.groups.subresources import status
from server.registry.kind import Kind, Subresource
from server.registry.strategy import Strategy

_GROUP = "certificates.k8s.io"


class TrustBundles(PathNamed):
    create_on_update = False
    selectable = ("spec.signerName",)
    columns = columns("SignerName")

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), (obj.get("spec") or {}).get("signerName") or "<none>"]


class PodCertificateRequests(Strategy):
    selectable = ("spec.signerName", "spec.podName", "spec.nodeName")


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
