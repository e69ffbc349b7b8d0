"""The PKCS#10 request in a CertificateSigningRequest: reading it, and what Kubernetes' own signers ask of it.

Who may ask, approve or sign is decided elsewhere; so is what a certificate of it looks like.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

API_CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY_UNKNOWN = "kubernetes.io/legacy-unknown"

_BEGIN = b"-----BEGIN "
_TYPE = b"CERTIFICATE REQUEST-----"
_NODES, _NODE = ("system:nodes",), "system:node:"
_OPTIONAL_USAGES = frozenset({"digital signature", "key encipherment"})
_CLIENT_USAGES = frozenset({"digital signature", "key encipherment", "client auth"})
_SERVER_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})
_WITHOUT_RSA = frozenset({"key encipherment"})


class RequestError(ValueError):
    """There is no valid request; the text says why."""


@lru_cache(maxsize=64)
def parse(encoded: str) -> "CertificateSigningRequest":
    """The request from spec.request, which is base64 of PEM; its signature holds.

    Raises:
        RequestError: it is not one.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        data = base64.b64decode(encoded)
        start = data.find(_BEGIN)
        if start < 0 or not data[start + len(_BEGIN) :].startswith(_TYPE):
            raise RequestError("PEM block type must be CERTIFICATE REQUEST")
        request = x509.load_pem_x509_csr(data)
        if not request.is_signature_valid:
            raise RequestError("x509: the signature of the request is not valid")
    except RequestError:
        raise
    except (ValueError, binascii.Error, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise RequestError(f"x509: malformed certificate request: {error}") from error
    return request


def organizations(request: "CertificateSigningRequest") -> tuple[str, ...]:
    from cryptography.x509.oid import NameOID

    return _texts(request, NameOID.ORGANIZATION_NAME)


def common_name(request: "CertificateSigningRequest") -> str:
    from cryptography.x509.oid import NameOID

    return next(reversed(_texts(request, NameOID.COMMON_NAME)), "")


def kubelet_client_problem(request: "CertificateSigningRequest", usages: Collection[str]) -> str:
    """Why this is no request for the client certificate of a node's agent; "" when it is one."""
    if organizations(request) != _NODES:
        return "subject organization is not system:nodes"
    names = _alternative_names(request)
    for kind in ("DNS", "Email", "IP", "URI"):
        if names[kind]:
            return f"{kind} subjectAltNames are not allowed"
    if not common_name(request).startswith(_NODE):
        return "subject common name does not begin with system:node:"
    return _usages_problem(usages, _CLIENT_USAGES)


def kubelet_serving_problem(request: "CertificateSigningRequest", usages: Collection[str]) -> str:
    """Why this is no request for the serving certificate of a node's agent; "" when it is one."""
    if organizations(request) != _NODES:
        return "subject organization is not system:nodes"
    names = _alternative_names(request)
    if not names["DNS"] and not names["IP"]:
        return "DNS or IP subjectAltName is required"
    for kind in ("Email", "URI"):
        if names[kind]:
            return f"{kind} subjectAltNames are not allowed"
    problem = _usages_problem(usages, _SERVER_USAGES)
    if not problem and not common_name(request).startswith(_NODE):
        return "subject common name does not begin with system:node:"
    return problem


def api_client_problem(_: "CertificateSigningRequest", usages: Collection[str]) -> str:
    """Why this is no request for a client certificate; "" when it is one."""
    for usage in usages:
        if usage != "client auth" and usage not in _OPTIONAL_USAGES:
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


Problem = Callable[["CertificateSigningRequest", Collection[str]], str]
PROBLEMS: Mapping[str, Problem] = {
    API_CLIENT: api_client_problem,
    KUBELET_CLIENT: kubelet_client_problem,
    KUBELET_SERVING: kubelet_serving_problem,
    LEGACY_UNKNOWN: lambda request, usages: "",
}
"""What each signer of Kubernetes' own has to say against a request."""


def _usages_problem(usages: Collection[str], wanted: frozenset[str]) -> str:
    if set(usages) in (wanted, wanted - _WITHOUT_RSA):
        return ""
    return f"usages did not match [{' '.join(sorted(wanted))}]"


def _texts(request: "CertificateSigningRequest", attribute: object) -> tuple[str, ...]:
    return tuple(str(each.value) for each in request.subject if each.oid == attribute)


def _alternative_names(request: "CertificateSigningRequest") -> Mapping[str, list[object]]:
    from cryptography import x509

    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return {"DNS": [], "Email": [], "IP": [], "URI": []}
    names = extension.value
    return {
        "DNS": [*names.get_values_for_type(x509.DNSName)],
        "Email": [*names.get_values_for_type(x509.RFC822Name)],
        "IP": [*names.get_values_for_type(x509.IPAddress)],
        "URI": [*names.get_values_for_type(x509.UniformResourceIdentifier)],
    }
