"""A registry on loopback: Debian's docker-registry, and pushing to it.

Not here: the image (`conformance.testimage`).
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from conformance.testimage import Image, digest
from conformance.waiting import eventually

CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True)
class Registry:
    host: str
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def push(self, image: Image, *, name: str, tag: str) -> str:
        """The reference under which it can be pulled. Pushing to the same tag again moves it."""
        for blob in image.blobs:
            self._upload(name, blob)
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        self._ask("PUT", f"/v2/{name}/manifests/{tag}", image.manifest, {"Content-Type": kind})
        return f"{self.host}/{name}:{tag}"

    def _upload(self, name: str, blob: bytes) -> None:
        location = self._ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        path = location.removeprefix(f"http://{self.host}")
        joined = "&" if "?" in path else "?"
        kind = {"Content-Type": "application/octet-stream"}
        self._ask("PUT", f"{path}{joined}digest={digest(blob)}", blob, kind)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        answer = self.pool.request(
            method, f"http://{self.host}{path}", body=body, headers=headers, timeout=20
        )
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.data!r}"
        return answer


@contextmanager
def serving(program: str, directory: Path) -> Iterator[Registry]:
    port = free_port()
    configuration = directory / "registry.yaml"
    configuration.write_text(CONFIGURATION.format(root=directory / "data", port=port))
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(configuration)], stdout=log, stderr=log)
    try:
        eventually(lambda: _listens(port), what=f"{program} listens", timeout=10)
        yield Registry(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
