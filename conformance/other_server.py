"""A server of the test's own that answers an API of the cluster: on this machine, named by an APIService."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conformance.space import Space

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


class JsonHandler(BaseHTTPRequestHandler):
    def reply(self, document: object, *, code: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], directory: Path) -> Iterator[int]:
    """Over TLS; the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(directory))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def registered(
    space: Space, port: int, *, group: str, version: str, priority: int, service: str
) -> Iterator[str]:
    """The group's version is answered by the server on that port; the APIService's path."""
    if urlsplit(space.rest.server).hostname not in ("127.0.0.1", "localhost"):
        pytest.skip("the cluster is not on this machine")
    outside = {"type": "ExternalName", "externalName": "localhost"}
    behind = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": outside}
    space.rest.post(space.path("services"), behind)
    spec = {
        "group": group,
        "version": version,
        "groupPriorityMinimum": priority,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": space.name, "name": service, "port": port},
    }
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    name = f"{version}.{group}"
    space.rest.post(API_SERVICES, {**kind, "metadata": {"name": name}, "spec": spec})
    try:
        yield f"{API_SERVICES}/{name}"
    finally:
        space.rest.delete(f"{API_SERVICES}/{name}")


def _certificate(directory: Path) -> Path:
    """A self-signed certificate with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = directory / "other.pem"
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file.write_bytes(key.private_bytes(*form) + signed)
    return file
