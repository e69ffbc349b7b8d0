"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction and ClusterTrustBundleAttest.

Who approves, signs or attests needs the right to do so for that signer: the verbs approve, sign and attest on
the resource `signers`, by the signer's name or, for all signers of a domain, `example.com/*`.
"""

from typing import Protocol

from kubeling.objects import certificate_requests
from kubeling.objects.certificate_requests import API_CLIENT, RequestError
from kubeling.objects.errors import Forbidden, GroupResource, forbidden
from server.admission.chain import Plugin
from server.auth.attributes import Attributes as Question
from server.auth.identities import MASTERS
from server.registry.admission import Attributes
from server.registry.kind import Kind

GROUP = "certificates.k8s.io"
_REQUESTS = GroupResource(GROUP, "certificatesigningrequests")
_BUNDLES = GroupResource(GROUP, "clustertrustbundles")


class Authorization(Protocol):
    def allows(self, request: Question) -> bool: ...


class SignerPlugin(Plugin):
    """One that asks whether the user may do something for a signer."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return _of_certificates(kind)

    def may(self, attributes: Attributes, verb: str, signer: str) -> bool:
        asked = Question(
            attributes.context.user, verb, group=GROUP, version="*", resource="signers", name=signer
        )
        whole_domain = asked._replace(name=f"{signer.partition('/')[0]}/*")
        return self._authorization.allows(asked) or self._authorization.allows(whole_domain)


class CertificateApproval(SignerPlugin):
    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: the user may not approve or deny for that signer.
        """
        if _concerns(attributes, _REQUESTS, "approval"):
            signer = _signer(attributes.old)
            if not self.may(attributes, "approve", signer):
                why = f'user not permitted to approve requests with signerName "{signer}"'
                raise _refused(attributes, why)


class CertificateSigning(SignerPlugin):
    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: the user may not sign for that signer.
        """
        if not _concerns(attributes, _REQUESTS, "status"):
            return
        new, old = ((each or {}).get("status") or {} for each in (attributes.obj, attributes.old))
        if all(new.get(field) == old.get(field) for field in ("certificate", "conditions")):
            return
        signer = _signer(attributes.old)
        if not self.may(attributes, "sign", signer):
            raise _refused(attributes, f'user not permitted to sign requests with signerName "{signer}"')


class CertificateSubjectRestriction(Plugin):
    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return operation == "CREATE" and _of_certificates(kind)

    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: somebody wants to become a superuser by a certificate.
        """
        if attributes.kind.resource != _REQUESTS or attributes.operation != "CREATE":
            return
        spec = (attributes.obj or {}).get("spec") or {}
        if attributes.subresource or spec.get("signerName") != API_CLIENT:
            return
        try:
            request = certificate_requests.parse(spec.get("request") or "")
        except RequestError as error:
            raise _refused(attributes, f"failed to parse CSR: {error}") from error
        if MASTERS in certificate_requests.organizations(request):
            raise _refused(attributes, f"use of {API_CLIENT} signer with {MASTERS} group is not allowed")


class ClusterTrustBundleAttest(SignerPlugin):
    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: the user may not speak for that signer.
        """
        if attributes.kind.resource != _BUNDLES or attributes.operation not in ("CREATE", "UPDATE"):
            return
        spec = (attributes.obj or {}).get("spec") or {}
        if attributes.old is not None and (attributes.old.get("spec") or {}) == spec:
            return
        signer = spec.get("signerName")
        if signer and not self.may(attributes, "attest", signer):
            raise _refused(attributes, f'user not permitted to attest for signerName "{signer}"')


def _of_certificates(kind: Kind) -> bool:
    return kind.group == GROUP


def _concerns(attributes: Attributes, resource: GroupResource, subresource: str) -> bool:
    updated = attributes.operation == "UPDATE" and attributes.subresource == subresource
    return updated and attributes.kind.resource == resource


def _signer(request: dict[str, object] | None) -> str:
    spec = (request or {}).get("spec")
    return str(spec.get("signerName") or "") if isinstance(spec, dict) else ""


def _refused(attributes: Attributes, why: str) -> Forbidden:
    return forbidden(attributes.kind.resource, attributes.name, why)
