"""A registry in this process that serves images, asks for logins, and misbehaves where a test wants it.

Not here: a real one, to which can be pushed (`conformance.image_registry`).
"""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from conformance.testimage import Image, digest

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<which>[^/?]+)")
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Request(NamedTuple):
    user: str
    """Empty of one who shows no login."""
    kind: str
    name: str
    which: str


@dataclass
class SmallRegistry:
    images: dict[str, Image] = field(default_factory=dict)
    """By repository: there is one tag, which is 1."""
    logins: dict[str, set[str]] = field(default_factory=dict)
    """By repository, the `user:password` that may have it; anybody may where it has no entry."""
    held: set[str] = field(default_factory=set)
    """Repositories whose layers do not come until `release`."""
    cut: set[str] = field(default_factory=set)
    """Repositories whose layers are cut off once: the connection ends in the middle."""
    requests: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    host: str = ""

    def serve(self, name: str, image: Image, *logins: str) -> str:
        """The reference by which it can be pulled."""
        self.images[name] = image
        if logins:
            self.logins[name] = set(logins)
        return f"{self.host}/{name}:1"

    def release(self) -> None:
        self.released.set()

    def pulls(self, name: str) -> list[str]:
        """Who has asked for the layers of a repository."""
        layers = {digest(layer) for layer in self.images[name].layers}
        return [each.user for each in self.requests if each.name == name and each.which in layers]


@contextmanager
def serving() -> Iterator[SmallRegistry]:
    registry = SmallRegistry()

    class Handler(_Handler):
        served = registry

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.release()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    served: SmallRegistry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *arguments: object) -> None:
        return

    def _answer(self, *, with_body: bool) -> None:
        match = _PATH.match(self.path)
        if not match:
            self._send(200, b"{}", with_body)
            return
        name, kind, which = match["name"], match["kind"], match["which"]
        login = self._login()
        self.served.requests.append(Request(login.partition(":")[0], kind, name, which))
        allowed = self.served.logins.get(name)
        if allowed is not None and login not in allowed:
            self._send(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', with_body)
            return
        content = self._content(name, kind, which)
        if content is None:
            self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', with_body)
            return
        is_layer = content in self.served.images[name].layers
        if is_layer and name in self.served.held:
            self.served.released.wait(60)
        self._send(200, content, with_body, cut=is_layer and self._is_cut(name))

    def _is_cut(self, name: str) -> bool:
        if name not in self.served.cut:
            return False
        self.served.cut.discard(name)
        return True

    def _login(self) -> str:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        return base64.b64decode(given).decode() if kind == "Basic" else ""

    def _content(self, name: str, kind: str, which: str) -> bytes | None:
        image = self.served.images.get(name)
        if image is None:
            return None
        if kind == "manifests":
            return image.manifest if which in ("1", digest(image.manifest)) else None
        return next((blob for blob in image.blobs if digest(blob) == which), None)

    def _send(self, status: int, content: bytes, with_body: bool, *, cut: bool = False) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="small"')
        self.send_header(
            "Content-Type", _MANIFEST if "/manifests/" in self.path else "application/octet-stream"
        )
        self.send_header("Docker-Content-Digest", digest(content))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True
            self.connection.shutdown(2)
