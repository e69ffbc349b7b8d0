"""Collects what there is to know about a running cluster: processes, addresses, versions, the node's state.

Not here: how it is shown (`kubeling.cli.status`).
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kubeling.cluster import datastore
from kubeling.cluster.apiclient import ApiClient, node_obstacle
from kubeling.cluster.errors import ApiFailed
from kubeling.cluster.home import Home
from kubeling.cluster.identity import ProcessIdentity, identify, resident_bytes
from kubeling.cluster.runstate import ProcessState, RunState
from kubeling.cluster.settings import Settings
from kubeling.version import VERSION


@dataclass(frozen=True)
class ProcessReport:
    pid: int | None
    """None while it waits to be started again."""
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
    virtual: bool = False
    """Whether its pods have no containers."""
    pressures: tuple[str, ...] = ()
    """Conditions such as DiskPressure that hold: then it refuses pods."""


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
    processes: dict[str, ProcessReport]
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
        datastore=datastore.shown(settings.datastore),
        processes=_processes(home, state),
        nodes=nodes,
    )


def _processes(home: Home, state: RunState) -> dict[str, ProcessReport]:
    reports = {"supervisor": _process(ProcessState(state.supervisor))}
    reports |= {name: _process(process) for name, process in state.processes.items()}
    containerd = _containerd(home)
    if containerd:
        reports["containerd"] = _process(ProcessState(containerd))
    return reports


def _process(state: ProcessState) -> ProcessReport:
    pid = state.identity.pid if state.identity and state.identity.alive() else None
    return ProcessReport(pid, resident_bytes(pid) if pid else 0, state.restarts, state.last_exit)


def _containerd(home: Home) -> ProcessIdentity | None:
    """The private containerd, which is the node agent's child and not the supervisor's."""
    with suppress(OSError, ValueError):
        return identify(int((home.state / "containerd.pid").read_text()))
    return None


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
        virtual=(node["metadata"].get("labels") or {}).get("kubeling.dev/virtual") == "true",
        pressures=tuple(
            each["type"]
            for each in status.get("conditions", [])
            if each["type"].endswith("Pressure") and each["status"] == "True"
        ),
    )
