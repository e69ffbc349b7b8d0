"""What a node may ask of a signer for a pod, and what a signer may answer."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from kubeling.objects import meta
from server.registry.groups.pod_certificate_request import PodCertificateRequests

STRATEGY = PodCertificateRequests()
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pod")])
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=1)
CONDITION = {"type": "Issued", "status": "True", "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def stub(key: Any) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode()


STUB = stub(KEY)


def request(**spec: Any) -> dict[str, Any]:
    base = {
        "signerName": "example.com/s",
        "podName": "p",
        "podUID": "u",
        "serviceAccountName": "sa",
        "serviceAccountUID": "u",
        "nodeName": "n",
        "nodeUID": "u",
        "stubPKCS10Request": STUB,
    }
    obj = {"metadata": {"name": "r"}, "spec": {**base, **spec}}
    STRATEGY.default(obj)
    return obj


def refused(**spec: Any) -> dict[str, str]:
    return {each.field: each.message for each in STRATEGY.validate_create(request(**spec))}


def test_a_request_is_for_a_day_unless_it_says_otherwise() -> None:
    assert request()["spec"]["maxExpirationSeconds"] == 86_400
    assert refused() == {}
    assert refused(unverifiedUserAnnotations={"example.com/Note": "x"}) == {}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"podUID": ""}, "podUID", "Required value: must not be empty"),
        ({"nodeUID": "u" * 129}, "nodeUID", "Too long: may not be more than 128 bytes"),
        ({"podName": "A"}, "podName", "a lowercase RFC 1123 subdomain must consist of"),
        ({"maxExpirationSeconds": 60}, "maxExpirationSeconds", "must be in the range [3600, 7862400]"),
        (
            {"maxExpirationSeconds": 90_000, "signerName": "kubernetes.io/s"},
            "maxExpirationSeconds",
            "must be in the range [3600, 86400]",
        ),
        ({"unverifiedUserAnnotations": {"a": "b"}}, "unverifiedUserAnnotations", "domain-prefixed key"),
        ({"stubPKCS10Request": ""}, "stubPKCS10Request", "Required value"),
        ({"stubPKCS10Request": "AAAA"}, "stubPKCS10Request", "PKCS#10"),
        (
            {"stubPKCS10Request": stub(rsa.generate_private_key(public_exponent=65537, key_size=2048))},
            "stubPKCS10Request",
            "2048-bit modulus: RSA keys must have modulus size 3072 or 4096",
        ),
        (
            {"stubPKCS10Request": stub(ec.generate_private_key(ec.SECP224R1()))},
            "stubPKCS10Request",
            "elliptic public keys must use curve P256, P384, or P521",
        ),
    ],
)
def test_requests_that_no_signer_should_see(spec: dict[str, Any], field: str, message: str) -> None:
    assert message in refused(**spec)[f"spec.{field}"]


def issued(key: Any = KEY, **status: Any) -> dict[str, Any]:
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, START, END)
    chain = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return {
        "conditions": [CONDITION],
        "certificateChain": chain,
        "notBefore": meta.timestamp(START),
        "notAfter": meta.timestamp(END),
        "beginRefreshAt": meta.timestamp(START + timedelta(hours=1)),
        **status,
    }


def answered(status: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, str]:
    old = {**request(), "status": before or {}}
    found = STRATEGY.validate_status_update({**request(), "status": status}, old)
    return {each.field: each.message for each in found}


def test_answers_of_a_signer() -> None:
    assert answered(issued()) == {}
    assert answered({"conditions": [{**CONDITION, "type": "Denied"}]}) == {}
    status = issued()
    assert answered(status, status) == {}


@pytest.mark.parametrize(
    ("status", "field", "message"),
    [
        ({"conditions": [{**CONDITION, "type": "Odd"}]}, "status.conditions[0].type", "Unsupported value"),
        ({"conditions": [{**CONDITION, "status": "False"}]}, "status.conditions[0].status", "Unsupported"),
        ({"conditions": [CONDITION, CONDITION]}, "status.conditions[1].type", "at most one condition"),
        ({"conditions": [CONDITION]}, "status.certificateChain", "must contain at least one certificate"),
        (issued(notBefore=None), "status.notBefore", "must be present and consistent"),
        (issued(notAfter="2027-01-01T00:00:00Z"), "status.notAfter", "must be set to the NotAfter time"),
        (issued(beginRefreshAt=meta.timestamp(START)), "status.beginRefreshAt", "10 minutes after"),
        (issued(ec.generate_private_key(ec.SECP256R1())), "status.certificateChain", "not issued to the"),
        ({"certificateChain": "x"}, "status", "non-condition status fields must be empty"),
    ],
)
def test_answers_that_are_none(status: dict[str, Any], field: str, message: str) -> None:
    assert message in answered(status)[field]


def test_an_answer_stays() -> None:
    found = answered({"conditions": [{**CONDITION, "type": "Denied"}]}, issued())
    assert found == {
        "status": "Invalid value: immutable after PodCertificateRequest is issued, denied, or failed"
    }
