"""CertificateSigningRequests over HTTPS: who asks, what is asked, who decides, what may never change."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.tests.conftest import Answer, ApiServer

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLIENT = "kubernetes.io/kube-apiserver-client"


def pkcs10(name: str = "jane", organization: str = "team") -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


def signing_request(**spec: Any) -> dict[str, Any]:
    given = {"request": pkcs10(), "signerName": CLIENT, "usages": ["client auth"], **spec}
    return {"metadata": {"name": "jane"}, "spec": given}


@pytest.fixture
async def made(api: ApiServer) -> Any:
    answer = await api.post(REQUESTS, signing_request(username="somebody", groups=["else"]))
    assert answer.status == 201, answer.body
    return answer.json


async def put(api: ApiServer, obj: Any, subresource: str = "", **status: Any) -> Answer:
    body = {**obj, "status": {**(obj.get("status") or {}), **status}}
    path = f"{REQUESTS}/jane" + (f"/{subresource}" if subresource else "")
    return await api.request("PUT", path, body=body)


def condition(kind: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "r"}


async def test_who_asks_is_the_servers_to_say(made: Any) -> None:
    assert made["spec"]["username"] == "kubernetes-admin"
    assert made["spec"]["groups"] == ["system:masters", "system:authenticated"]
    assert made["status"] == {}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"request": base64.b64encode(b"x").decode()}, "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["flying"]}, 'spec.usages[0]: Unsupported value: "flying"'),
        ({"usages": ["client auth", "client auth"]}, 'spec.usages[1]: Duplicate value: "client auth"'),
        ({"signerName": "nobody"}, "must be a fully qualified domain and path"),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "the legacy signerName is not allowed"),
        ({"expirationSeconds": 599}, "may not specify a duration less than 600 seconds (10 minutes)"),
    ],
)
async def test_a_request_that_cannot_be_signed_is_refused(api: ApiServer, spec: Any, message: str) -> None:
    answer = await api.post(REQUESTS, signing_request(**spec))
    assert answer.status == 422
    assert message in answer.message


async def test_the_request_itself_never_changes(api: ApiServer, made: Any) -> None:
    changed = {**made, "spec": {**made["spec"], "signerName": "example.com/x"}}
    answer = await put(api, changed, conditions=[condition("Approved")], certificate="eA==")
    assert answer.status == 200
    assert answer.json["spec"] == made["spec"]
    assert answer.json["status"] == {}


async def test_an_approval_is_dated_and_stays(api: ApiServer, made: Any) -> None:
    answer = await put(api, made, "approval", conditions=[condition("Approved")], certificate="eA==")
    assert answer.status == 200, answer.body
    approved = answer.json
    assert approved["status"].keys() == {"conditions"}
    assert approved["status"]["conditions"][0].keys() >= {"lastUpdateTime", "lastTransitionTime"}
    for subresource in ("approval", "status"):
        refused = await put(api, approved, subresource, conditions=[])
        assert refused.status == 422
        assert 'updates may not remove a condition of type "Approved"' in refused.message
    both = [*approved["status"]["conditions"], condition("Denied")]
    refused = await put(api, approved, "approval", conditions=both)
    assert "Approved and Denied conditions are mutually exclusive" in refused.message


async def test_a_decision_is_true_or_not_made(api: ApiServer, made: Any) -> None:
    refused = await put(api, made, "approval", conditions=[condition("Approved", "False")])
    assert 'status.conditions[0].status: Unsupported value: "False"' in refused.message


async def test_the_signer_does_not_decide(api: ApiServer, made: Any) -> None:
    refused = await put(api, made, "status", conditions=[condition("Approved")])
    assert refused.status == 422
    assert 'updates may not add a condition of type "Approved"' in refused.message


async def test_a_certificate_is_one_and_comes_once(api: ApiServer, made: Any) -> None:
    refused = await put(api, made, "status", certificate=base64.b64encode(b"x").decode())
    assert "must contain at least one CERTIFICATE PEM block" in refused.message
    pem = api.keys.authority.certificate.read_bytes()
    signed = await put(api, made, "status", certificate=base64.b64encode(pem).decode())
    assert signed.status == 200, signed.body
    other = api.keys.server.certificate.read_bytes()
    refused = await put(api, signed.json, "status", certificate=base64.b64encode(other).decode())
    assert "updates may not modify existing certificate content" in refused.message
