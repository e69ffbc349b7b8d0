"""kubectl certificate: a user asks for a certificate, the administrator decides, the certificate works."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conformance import bearer
from conformance.kubectl import Kubectl
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

KEY = ec.generate_private_key(ec.SECP256R1())
CLIENT = "kubernetes.io/kube-apiserver-client"


def signing_request(name: str, user: str, **spec: object) -> Object:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, user), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "team")]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(KEY, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": CLIENT,
            "usages": ["client auth"],
            **spec,
        },
    }


@pytest.fixture
def name(each_kubectl: Kubectl, space: Space) -> Iterator[str]:
    """Of a request of this test alone: requests have no namespace."""
    yield f"request-{space.name}"
    each_kubectl("delete", "csr", f"request-{space.name}", "--ignore-not-found")


def test_an_approved_request_brings_a_certificate_that_works(
    each_kubectl: Kubectl, kubectl: Kubectl, name: str, tmp_path: Path
) -> None:
    each_kubectl.apply(signing_request(name, "jane", expirationSeconds=3600))
    row = each_kubectl("get", "csr", name, "--no-headers").text.split()
    assert row[2:] == [CLIENT, "kubernetes-admin", "60m", "Pending"]
    approved = each_kubectl("certificate", "approve", name).text
    assert approved == f"certificatesigningrequest.certificates.k8s.io/{name} approved\n"
    path = "jsonpath={.status.certificate}"
    issued = eventually(lambda: each_kubectl("get", "csr", name, "-o", path).text, what="it is signed")
    assert each_kubectl("get", "csr", name, "--no-headers").text.split()[-1] == "Approved,Issued"
    raw = each_kubectl.json("config", "view", "--raw", "--flatten", "--minify")
    key = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    user = {"client-certificate-data": issued, "client-key-data": base64.b64encode(key).decode()}
    file = bearer.kubeconfig(tmp_path / "kubeconfig", raw, user)
    told = kubectl("auth", "whoami", "--kubeconfig", str(file), "-o", "json").text
    info = json.loads(told)["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("jane", ["team", "system:authenticated"])


def test_a_denied_request_is_not_signed(each_kubectl: Kubectl, name: str) -> None:
    each_kubectl.apply(signing_request(name, "jane"))
    denied = each_kubectl("certificate", "deny", name).text
    assert denied == f"certificatesigningrequest.certificates.k8s.io/{name} denied\n"
    assert each_kubectl("get", "csr", name, "--no-headers").text.split()[-1] == "Denied"
    changed = each_kubectl.attempt("certificate", "approve", name)
    assert changed.code == 1
    assert "certificate signing request" in changed.errors or "is invalid" in changed.errors


def test_a_request_that_does_not_fit_its_signer_fails(each_kubectl: Kubectl, name: str) -> None:
    each_kubectl.apply(signing_request(name, "jane", usages=["server auth"]))
    each_kubectl("certificate", "approve", name)
    failed = 'jsonpath={.status.conditions[?(@.type=="Failed")].message}'
    said = eventually(lambda: each_kubectl("get", "csr", name, "-o", failed).text, what="it fails")
    assert said == "invalid usage for client certificate: server auth"
