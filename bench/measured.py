"""The server that a benchmark measures: a cluster without a real node in a fresh home, and requests to it.

Not here: load (`bench.wrk`).
"""

import json
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from conformance.cluster import Cluster, program, remove

POOL = urllib3.PoolManager(cert_reqs=ssl.CERT_NONE, assert_hostname=False)
urllib3.disable_warnings()


class Server:
    """Requests to the measured server, and its memory."""

    def __init__(self, cluster: Cluster) -> None:
        assert cluster.home
        self._cluster = cluster
        self.home = cluster.home
        self.keys = cluster.home / "pki"
        status = cluster.status()
        self.url: str = status["api_servers"][0]
        self.token = (cluster.home / "pki" / "tokens.csv").read_text().split(",")[0]
        self.idle_memory = self.memory()

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        return self._cluster.pid("server") or 0

    def is_ready(self) -> bool:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            answer = POOL.request("GET", f"{self.url}/readyz", headers=headers, retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return bool(answer.status == 200)

    def memory(self) -> float:
        """Resident MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4096 / 2**20

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = POOL.request(
            method,
            self.url + path,
            body=json.dumps(body) if body is not None else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return json.loads(answer.data)


@contextmanager
def cluster(*, virtual_nodes: int = 0) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="bench-api-") as directory:
        home = Path(directory) / "home"
        cluster = Cluster(Path(directory) / "kubeconfig", "", containers=False, home=home)
        arguments = ["up", "--detach", "--no-node", "--home", str(home), "--port", "0"]
        arguments += ["--kubeconfig", str(cluster.kubeconfig), "--virtual-nodes", str(virtual_nodes)]
        try:
            subprocess.run([*program(), *arguments], check=True, stdout=subprocess.DEVNULL)
            yield Server(cluster)
        finally:
            remove(cluster)
