"""Certificates for those whose requests are approved, and approval for nodes' agents."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeling.client.fake import FakeClient
from kubeling.client.resources import CERTIFICATE_SIGNING_REQUESTS as REQUESTS
from kubeling.client.resources import SUBJECT_ACCESS_REVIEWS
from kubeling.cluster.certificates import ensure_authority
from kubeling.cluster.keys import Pair
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock
from server.controllers import Settings, start_controllers

KEY = ec.generate_private_key(ec.SECP256R1())
APPROVED = {"type": "Approved", "status": "True"}
NODE, NODES = "system:node:n1", "system:nodes"
CLIENT = ["digital signature", "client auth"]
KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"


class Reviewing(FakeClient):
    """Answers SubjectAccessReviews: `granted` are the subresources that may be created."""

    granted: frozenset[str] = frozenset()

    async def create(self, resource: Any, obj: Any, *, subresource: str = "") -> Any:
        if resource != SUBJECT_ACCESS_REVIEWS:
            return await super().create(resource, obj, subresource=subresource)
        asked = obj["spec"]["resourceAttributes"]["subresource"]
        return {**obj, "status": {"allowed": asked in self.granted}}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def authority(tmp_path: Path, clock: FakeClock) -> Pair:
    pair = Pair(tmp_path / "ca.crt", tmp_path / "ca.key")
    ensure_authority(pair, "test-ca", now=clock.now())
    return pair


@pytest.fixture
async def client(clock: FakeClock, authority: Pair) -> AsyncIterator[Reviewing]:
    client = Reviewing(clock=clock)
    settings = Settings(
        certificate_authority=authority.certificate.read_text(), certificate_authority_key=authority.key
    )
    controllers = start_controllers(client, clock=clock, settings=settings)
    await clock.advance(0)
    yield client
    await controllers.stop()
    await client.close()


def pkcs10(name: str, organization: str, *dns: str) -> str:
    names = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, name)]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if dns:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in dns])
        builder = builder.add_extension(alternatives, critical=False)
    return base64.b64encode(
        builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    ).decode()


def signing_request(*found: Any, **spec: Any) -> dict[str, Any]:
    wanted = {
        "request": pkcs10("jane", "team"),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "username": "jane",
        **spec,
    }
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "r"},
        "spec": wanted,
        "status": {"conditions": list(found)},
    }


async def settled(client: FakeClient, clock: FakeClock, request: dict[str, Any]) -> dict[str, Any]:
    """The request, when the controllers are done with it."""
    client.put(request)
    await clock.advance(0)
    found = client.stored(REQUESTS, "r")
    assert found is not None
    return found


def certificate(request: dict[str, Any]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(request["status"]["certificate"]))


async def test_an_approved_request_is_signed(client: Reviewing, clock: FakeClock, authority: Pair) -> None:
    signed = certificate(await settled(client, clock, signing_request(APPROVED)))
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    signed.verify_directly_issued_by(issuer)
    assert signed.public_key() == KEY.public_key()
    assert signed.subject.rfc4514_string() == "CN=jane,O=team"
    usages = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert signed.not_valid_before_utc == start - timedelta(minutes=5)
    assert signed.not_valid_after_utc == start + timedelta(days=365) - timedelta(minutes=5)


@pytest.mark.parametrize(("asked", "lasts"), [(3600, 3600), (10**9, 31536000 - 300), (60, 600)])
async def test_a_certificate_lasts_as_long_as_asked_but_a_year_at_most(
    client: Reviewing, clock: FakeClock, asked: int, lasts: int
) -> None:
    signed = certificate(await settled(client, clock, signing_request(APPROVED, expirationSeconds=asked)))
    assert signed.not_valid_after_utc == clock.now() + timedelta(seconds=lasts)


@pytest.mark.parametrize(
    ("found", "spec"),
    [
        ((), {}),
        (({"type": "Denied", "status": "True"},), {}),
        ((APPROVED, {"type": "Failed", "status": "True"}), {}),
        ((APPROVED,), {"signerName": "example.com/own"}),
    ],
)
async def test_nothing_else_is_signed(client: Reviewing, clock: FakeClock, found: Any, spec: Any) -> None:
    assert "certificate" not in (await settled(client, clock, signing_request(*found, **spec)))["status"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"usages": ["server auth"]}, "invalid usage for client certificate: server auth"),
        ({"usages": ["digital signature"]}, "missing required usage for client certificate: client auth"),
        ({"signerName": KUBELET}, "subject organization is not system:nodes"),
        (
            {"signerName": KUBELET, "request": pkcs10("n1", NODES)},
            "subject common name does not begin with system:node:",
        ),
        (
            {"signerName": KUBELET, "request": pkcs10(NODE, NODES, "n1")},
            "DNS subjectAltNames are not allowed",
        ),
        (
            {"signerName": "kubernetes.io/kubelet-serving", "request": pkcs10(NODE, NODES)},
            "DNS or IP subjectAltName is required",
        ),
        (
            {"signerName": "kubernetes.io/kubelet-serving", "request": pkcs10(NODE, NODES, "n1")},
            "usages did not match [digital signature key encipherment server auth]",
        ),
    ],
)
async def test_what_does_not_fit_its_signer_fails(
    client: Reviewing, clock: FakeClock, spec: Any, message: str
) -> None:
    failed = conditions.find(await settled(client, clock, signing_request(APPROVED, **spec)), "Failed")
    assert failed is not None
    assert (failed["reason"], failed["message"]) == ("SignerValidationFailure", message)


async def test_a_serving_certificate_keeps_its_names(client: Reviewing, clock: FakeClock) -> None:
    usages = ["digital signature", "server auth"]
    spec = {"signerName": "kubernetes.io/kubelet-serving", "request": pkcs10(NODE, NODES, "n1")}
    signed = certificate(await settled(client, clock, signing_request(APPROVED, usages=usages, **spec)))
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n1"]


@pytest.mark.parametrize(
    ("user", "granted", "message"),
    [
        (NODE, "selfnodeclient", "Auto approving self kubelet client certificate"),
        (
            "bootstrapper",
            "nodeclient",
            "Auto approving kubelet client certificate",
        ),
    ],
)
async def test_a_nodes_client_certificate_needs_nobodys_approval(
    client: Reviewing, clock: FakeClock, user: str, granted: str, message: str
) -> None:
    client.granted = frozenset({granted})
    spec = {"signerName": KUBELET, "request": pkcs10(NODE, NODES), "usages": CLIENT, "username": user}
    approved = await settled(client, clock, signing_request(**spec))
    condition = conditions.find(approved, "Approved")
    assert condition is not None
    said = f"{message} after SubjectAccessReview."
    assert (condition["reason"], condition["message"]) == ("AutoApproved", said)
    assert certificate(approved).subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"


async def test_without_the_right_a_request_waits_for_approval(client: Reviewing, clock: FakeClock) -> None:
    client.granted = frozenset({"selfnodeclient"})
    spec = {"signerName": KUBELET, "request": pkcs10(NODE, NODES), "usages": CLIENT, "username": "x"}
    assert (await settled(client, clock, signing_request(**spec)))["status"] == {"conditions": []}
