"""Collects what there is to know about a running cluster: processes, addresses, versions, the node's state.

Not here: how it is shown (`kubeling.cli.status`).
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kubeling.cluster.apiclient import ApiClient, node_obstacle
from kubeling.cluster.errors import ApiFailed
from kubeling.cluster.home import Home
from kubeling.cluster.identity import resident_bytes
from kubeling.cluster.runstate import RunState
from kubeling.cluster.settings import Settings
from kubeling.version import VERSION


@dataclass(frozen=True)
class ProcessReport:
    name: str
    pid: int
    """0 while it waits to be started again."""
    resident: int
    """Bytes."""
    restarts: int
    last_exit: str


@dataclass(frozen=True)
class NodeReport:
    name: str
    obstacle: str
    """Why it is not ready; empty if it is."""
    address: str = ""
    kubelet: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class ClusterReport:
    home: str
    version: str
    kubernetes: str
    """Empty while the API server does not answer."""
    api_servers: list[str]
    obstacle: str
    """Why the API server is not ready; empty if it is."""
    kubeconfig: str
    pod_cidr: str
    service_cidr: str
    datastore: str
    processes: list[ProcessReport]
    nodes: list[NodeReport]

    @property
    def healthy(self) -> bool:
        return not self.obstacle and not any(node.obstacle for node in self.nodes)


def collect(home: Home, settings: Settings, state: RunState) -> ClusterReport:
    client = ApiClient(home, settings)
    obstacle, kubernetes, nodes = "", "", list[NodeReport]()
    try:
        client.get("/readyz")
        kubernetes = str(client.get("/version").get("gitVersion", ""))
        nodes = [_node(node) for node in client.get("/api/v1/nodes")["items"]]
    except ApiFailed as error:
        obstacle = error.message.splitlines()[0]
    return ClusterReport(
        home=str(home.root),
        version=VERSION,
        kubernetes=kubernetes,
        api_servers=[client.address, f"https://{_advertised(home)}:{settings.port}"],
        obstacle=obstacle,
        kubeconfig=settings.user_kubeconfig,
        pod_cidr=settings.pod_cidr,
        service_cidr=settings.service_cidr,
        datastore=settings.datastore,
        processes=_processes(home, state),
        nodes=nodes,
    )


def _processes(home: Home, state: RunState) -> list[ProcessReport]:
    pid = state.supervisor.pid
    reports = [ProcessReport("supervisor", pid, resident_bytes(pid), 0, "")]
    for name, process in state.processes.items():
        pid = process.identity.pid if process.identity and process.identity.alive() else 0
        reports.append(ProcessReport(name, pid, resident_bytes(pid), process.restarts, process.last_exit))
    with suppress(OSError, ValueError):
        pid = int((home.state / "containerd.pid").read_text())
        if resident_bytes(pid):
            reports.append(ProcessReport("containerd", pid, resident_bytes(pid), 0, ""))
    return reports


def _advertised(home: Home) -> str:
    return str(json.loads(home.server_config.read_bytes())["advertiseAddress"])


def _node(node: dict[str, Any]) -> NodeReport:
    status = node.get("status", {})
    info = status.get("nodeInfo", {})
    addresses = [a["address"] for a in status.get("addresses", []) if a.get("type") == "InternalIP"]
    return NodeReport(
        name=node["metadata"]["name"],
        obstacle=node_obstacle(node),
        address=", ".join(addresses),
        kubelet=info.get("kubeletVersion", ""),
        runtime=info.get("containerRuntimeVersion", ""),
    )
