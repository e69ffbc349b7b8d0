"""Certificates of pods in projected volumes. The signer is the test."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from conformance import pods
from conformance.rest import MERGE, Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
SIGNER = "kubeling.test/signer"
GROUP = "apis/certificates.k8s.io/v1"


def projected(*sources: Object) -> list[Object]:
    given = [{"podCertificate": {"signerName": SIGNER, **each}} for each in sources]
    return [{"name": "v", "projected": {"sources": given}}]


def requests(space: Space, count: int) -> list[Object]:
    def probe() -> list[Object]:
        found: list[Object] = space.rest.get(space.path("podcertificaterequests", group=GROUP))["items"]
        assert len(found) == count, found
        return found

    return eventually(probe, what=f"there are {count} requests")


def answer(space: Space, request: Object, kind: str, **status: str) -> None:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": kind, "status": "True", "reason": "Tested", "message": "by the test"}
    body = {"status": {"conditions": [{**condition, "lastTransitionTime": moment}], **status}}
    path = space.path("podcertificaterequests", request["metadata"]["name"], group=GROUP) + "/status"
    answered = space.rest.request("PATCH", path, body, content_type=MERGE)
    assert answered.code == 200, str(answered)


def issue(space: Space, request: Object) -> None:
    """For a day, to be renewed after half of it."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    end = begin + timedelta(days=1)
    stub = x509.load_der_x509_csr(base64.b64decode(request["spec"]["stubPKCS10Request"]))
    authority = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, request["spec"]["podName"])])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(stub.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)

    signed = builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    times = {"notBefore": begin, "notAfter": end, "beginRefreshAt": begin + timedelta(hours=12)}
    told = {name: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for name, moment in times.items()}
    answer(space, request, "Issued", certificateChain=signed, **told)


def test_a_pod_gets_its_certificates(space: Space) -> None:
    """It waits for both; each has a key of its own, of the kind that was asked for."""
    bundle = {"keyType": "ED25519", "credentialBundlePath": "bundle.pem"}
    apart = {"keyType": "ECDSAP256", "keyPath": "key.pem", "certificateChainPath": "chain.pem"}
    container = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "cd /v; cat bundle.pem; echo apart; cat key.pem chain.pem; stat -Lc %a key.pem"
    space.run("certified", script, container=container, volumes=projected(bundle, apart))
    waiting = 'MountVolume.SetUp failed for volume "v" : credential bundle is not issued yet'
    assert space.event("certified", "FailedMount")["message"] == waiting
    for request in requests(space, 2):
        assert request["spec"]["podName"] == "certified"
        assert request["spec"]["maxExpirationSeconds"] == 86400
        issue(space, request)
    space.phase("certified", "Succeeded")
    both, _, parts = space.log("certified").partition("apart\n")
    for text, kind in ((both, ed25519.Ed25519PrivateKey), (parts, ec.EllipticCurvePrivateKey)):
        at = text.index("-----BEGIN CERTIFICATE")
        key = serialization.load_pem_private_key(text[:at].encode(), None)
        [leaf, *_] = x509.load_pem_x509_certificates(text[at:].encode())
        assert isinstance(key, kind)
        assert leaf.public_key() == key.public_key()
    assert parts.endswith("644\n")
    assert len(requests(space, 2)) == 2


def test_a_certificate_that_is_refused_holds_the_pod(space: Space) -> None:
    source = {"keyType": "ED25519", "credentialBundlePath": "bundle.pem"}
    container = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    space.run("refused", container=container, volumes=projected(source))
    answer(space, requests(space, 1)[0], "Denied")
    told = 'PodCertificateRequest was permanently denied: reason="Tested" message="by the test"'
    eventually(
        lambda: any(told in each["message"] for each in space.events("refused")),
        what="the pod's events tell why",
    )
    assert pods.waiting_reason(space.pod("refused")) == "ContainerCreating"
    space.remove_pod("refused")
