"""A cluster of processes, as `kubeling up` starts it, for as long as a test session lasts."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeling.cluster import lock, stop
from kubeling.cluster.apiclient import ApiClient
from kubeling.cluster.decide import Wishes
from kubeling.cluster.errors import ApiFailed
from kubeling.cluster.home import Home
from kubeling.cluster.kubeconfig import server_url
from kubeling.cluster.prepare import prepare
from kubeling.cluster.settings import Settings
from kubeling.cluster.start import start_supervisor, wait_for_server, wait_for_virtual_nodes

START_TIMEOUT = 60.0
NAMESPACE_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class ClusterProcesses:
    home: Path
    kubeconfig: Path
    """Of its administrator."""
    url: str
    api: ApiClient

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """A new namespace with its default service account; its removal is asked for, not waited for."""
        name = f"test-{uuid.uuid4().hex[:10]}"
        self._request(
            "POST",
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        )
        self._await(f"/api/v1/namespaces/{name}/serviceaccounts/default")
        try:
            yield name
        finally:
            self._request("DELETE", f"/api/v1/namespaces/{name}")

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        return self.api.request(method, path, body=data, headers={"Content-Type": "application/json"})

    def _await(self, path: str) -> None:
        deadline = time.monotonic() + NAMESPACE_TIMEOUT
        while True:
            try:
                self.api.get(path)
            except ApiFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return


@contextmanager
def started(directory: Path, *, virtual_nodes: int = 1) -> Iterator[ClusterProcesses]:
    """Ends with the block, and with this process if that dies. Raises StartFailed."""
    home = Home(root=directory / "home", state=directory / "state")
    home.create()
    wishes = Wishes(port=0, node=False, virtual_nodes=virtual_nodes, user_kubeconfig=directory / "kubeconfig")
    with lock.held(home) as descriptor:
        settings = prepare(home, wishes)
        supervisor = start_supervisor(home, lock=descriptor, detach=False)
    api = ApiClient(home, settings)
    try:
        wait_for_server(supervisor, api, timeout=START_TIMEOUT)
        if virtual_nodes:
            wait_for_virtual_nodes(supervisor, api, settings, timeout=START_TIMEOUT)
        yield _cluster(home, settings, api)
    finally:
        api.close()
        stop.stop(home)
        supervisor.process.wait()
        supervisor.release()


def _cluster(home: Home, settings: Settings, api: ApiClient) -> ClusterProcesses:
    return ClusterProcesses(home.root, home.admin_kubeconfig, server_url(settings), api)
