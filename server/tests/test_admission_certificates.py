"""Who may approve, sign and attest for a signer, and what nobody may ask for."""

from typing import Any

import pytest

from kubeling.objects.errors import Forbidden
from server.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from server.auth.attributes import Attributes as Question
from server.auth.identities import authenticated
from server.registry import kinds
from server.registry.admission import Attributes
from server.registry.context import RequestContext
from server.tests.test_certificates_api import pkcs10

KINDS = kinds.Kinds()
SIGNER = "example.com/wise"


class Rights:
    """Grants a verb on the signers of one name."""

    def __init__(self, verb: str = "", name: str = "") -> None:
        self.granted = (verb, name)

    def allows(self, request: Question) -> bool:
        assert (request.group, request.resource) == ("certificates.k8s.io", "signers")
        return (request.verb, request.name) == self.granted


def write(
    operation: str, obj: Any, old: Any = None, *, subresource: str = "", plural: str = ""
) -> Attributes:
    version = "v1" if not plural else "v1beta1"
    kind = KINDS.lookup("certificates.k8s.io", version, plural or "certificatesigningrequests")
    kind = kind or KINDS.lookup("certificates.k8s.io", "v1", plural)
    assert kind is not None
    context = RequestContext(authenticated("jane"))
    return Attributes(context, kind, version, operation, "", "r", subresource=subresource, obj=obj, old=old)


def request(signer: str = SIGNER, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "spec": {"signerName": signer}, "status": status}


@pytest.mark.parametrize(
    ("plugin", "subresource", "verb"),
    [(CertificateApproval, "approval", "approve"), (CertificateSigning, "status", "sign")],
)
def test_a_signer_needs_the_right_for_its_name_or_its_domain(
    plugin: type[CertificateApproval], subresource: str, verb: str
) -> None:
    change = write("UPDATE", request(certificate="eA=="), request(), subresource=subresource)
    for name in (SIGNER, "example.com/*"):
        plugin(Rights(verb, name)).validate(change)
    with pytest.raises(Forbidden) as caught:
        plugin(Rights(verb, "example.org/*")).validate(change)
    assert caught.value.message == (
        'certificatesigningrequests.certificates.k8s.io "r" is forbidden: user not permitted to'
        f' {verb} requests with signerName "{SIGNER}"'
    )


def test_a_status_without_news_needs_no_right() -> None:
    CertificateSigning(Rights()).validate(write("UPDATE", request(), request(), subresource="status"))


def test_other_writes_need_no_right() -> None:
    for plugin in (CertificateApproval(Rights()), CertificateSigning(Rights())):
        plugin.validate(write("UPDATE", request(), request()))
        plugin.validate(write("CREATE", request()))


def test_who_publishes_a_signers_bundle_needs_the_right_to_attest() -> None:
    bundle = {"metadata": {"name": "r"}, "spec": {"signerName": SIGNER, "trustBundle": "x"}}
    made = write("CREATE", bundle, plural="clustertrustbundles")
    ClusterTrustBundleAttest(Rights("attest", SIGNER)).validate(made)
    with pytest.raises(Forbidden, match="user not permitted to attest for signerName"):
        ClusterTrustBundleAttest(Rights()).validate(made)
    same = write("UPDATE", bundle, bundle, plural="clustertrustbundles")
    ClusterTrustBundleAttest(Rights()).validate(same)


def test_nobody_asks_to_be_a_superuser() -> None:
    asked = request("kubernetes.io/kube-apiserver-client")
    asked["spec"]["request"] = pkcs10(organization="system:masters")
    with pytest.raises(Forbidden) as caught:
        CertificateSubjectRestriction().validate(write("CREATE", asked))
    assert caught.value.message.endswith(
        "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    )
    asked["spec"]["request"] = pkcs10(organization="team")
    CertificateSubjectRestriction().validate(write("CREATE", asked))
