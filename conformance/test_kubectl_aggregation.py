"""APIs that other servers answer: kubectl finds and uses them like those of the server itself."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conformance.kubectl import Kubectl
from conformance.rest import Rest
from conformance.space import Space
from conformance.waiting import eventually

GROUP = "wardle.example.com"
PATH = f"/apis/{GROUP}/v1alpha1"
NAME = f"v1alpha1.{GROUP}"


class Wardle(BaseHTTPRequestHandler):
    """Answers discovery, and with one object, named after who asks."""

    def do_GET(self) -> None:
        version = {"apiVersion": f"{GROUP}/v1alpha1"}
        if self.path.partition("?")[0] == PATH:
            resource = {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder"}
            resource |= {"verbs": ["get", "list"], "shortNames": ["fl"]}
            listed = {"kind": "APIResourceList", "groupVersion": f"{GROUP}/v1alpha1", "resources": [resource]}
            self.reply(200, listed)
        elif self.path.startswith(f"{PATH}/namespaces/"):
            metadata = {"name": self.headers["X-Remote-User"], "namespace": self.path.split("/")[5]}
            flunder = {**version, "kind": "Flunder", "metadata": metadata}
            self.reply(200, {**version, "kind": "FlunderList", "metadata": {}, "items": [flunder]})
        else:
            self.reply(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    def reply(self, code: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def certificate(directory: Path) -> Path:
    """A self-signed certificate with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wardle")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = directory / "wardle.pem"
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file.write_bytes(key.private_bytes(*form) + signed)
    return file


@pytest.fixture
def wardle(tmp_path: Path) -> Iterator[int]:
    """The other server's port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Wardle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def registered(rest: Rest, space: Space, wardle: int) -> Iterator[None]:
    if urlsplit(rest.server).hostname not in ("127.0.0.1", "localhost"):
        pytest.skip("the cluster is not on this machine")
    outside = {"type": "ExternalName", "externalName": "localhost"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wardle"}, "spec": outside}
    rest.post(f"/api/v1/namespaces/{space.name}/services", service)
    spec = {
        "group": GROUP,
        "version": "v1alpha1",
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": space.name, "name": "wardle", "port": wardle},
    }
    api_service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": NAME},
        "spec": spec,
    }
    rest.post("/apis/apiregistration.k8s.io/v1/apiservices", api_service)
    yield
    rest.delete(f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}")


def test_kubectl_uses_what_another_server_answers(each_kubectl: Kubectl, registered: None) -> None:
    each_kubectl("wait", "--for=condition=Available", f"apiservice/{NAME}", "--timeout=20s")
    resources = each_kubectl("api-resources", f"--api-group={GROUP}", "--no-headers").text.split()
    assert resources == ["flunders", "fl", f"{GROUP}/v1alpha1", "true", "Flunder"]
    assert f"{GROUP}/v1alpha1" in each_kubectl("api-versions").lines
    [flunder] = each_kubectl.json("get", "fl")["items"]
    assert flunder["metadata"] == {"name": "kubernetes-admin", "namespace": each_kubectl.namespace}


def test_a_server_that_goes_away_does_not_spoil_the_rest(
    kubectl: Kubectl, rest: Rest, space: Space, registered: None
) -> None:
    rest.delete(f"/api/v1/namespaces/{space.name}/services/wardle")

    def gone() -> bool:
        found = rest.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}")
        conditions = (found.get("status") or {}).get("conditions") or []
        return [each["reason"] for each in conditions] == ["ServiceNotFound"]

    eventually(gone, what="the APIService to be unavailable")
    assert f"{space.name}/wardle   False (ServiceNotFound)" in kubectl("get", "apiservice", NAME).text
    answer = rest.request("GET", f"{PATH}/namespaces/{space.name}/flunders")
    assert (answer.code, answer.text) == (503, "service unavailable\n")
    assert kubectl("get", "configmaps", "-o", "name").lines == ["configmap/kube-root-ca.crt"]
