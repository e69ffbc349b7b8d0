"""Decides the settings of a cluster: the user's wishes, else what an earlier start decided, else a default.

Not here: whether a wish can be fulfilled later, when the processes run.
"""

import socket
from dataclasses import dataclass, replace
from pathlib import Path

from kubeling.cluster import datastore, machine, podcidr, ports, settings
from kubeling.cluster.errors import PortBusy, UsageError
from kubeling.cluster.home import Home, states_directory
from kubeling.cluster.settings import Settings

API_PORT = 6443
KUBELET_PORT = 10250
VIRTUAL_PORT = settings.Settings.virtual_port
SERVICE_CIDR = "10.96.0.0/12"


@dataclass(frozen=True)
class Wishes:
    """The options of `kubeling up`; None leaves the choice to an earlier start or to the default."""

    port: int | None = None
    """0: any free one."""
    datastore: str | None = None
    cri_endpoint: str | None = None
    node: bool = True
    virtual_nodes: int | None = None
    virtual_cpu: str | None = None
    virtual_memory: str | None = None
    virtual_latency: float | None = None
    user_kubeconfig: Path | None = None


def decide(home: Home, wishes: Wishes) -> Settings:
    """Raises PortBusy, UsageError, HomeError. Nothing is written."""
    kept = settings.load(home)
    base = kept or _first(home, any_ports=wishes.port == 0)
    port = _api_port(wishes.port, kept)
    kubelet_port = _kubelet_port(base.kubelet_port, avoid={port})
    latency = wishes.virtual_latency
    return replace(
        base,
        port=port,
        kubelet_port=kubelet_port,
        datastore=datastore.wished(wishes.datastore) or base.datastore,
        cri_endpoint=_cri_endpoint(wishes, base),
        node=wishes.node,
        virtual_nodes=base.virtual_nodes if wishes.virtual_nodes is None else wishes.virtual_nodes,
        virtual_cpu=wishes.virtual_cpu or base.virtual_cpu,
        virtual_memory=wishes.virtual_memory or base.virtual_memory,
        virtual_latency=base.virtual_latency if latency is None else f"{latency:g}",
        virtual_port=_kubelet_port(base.virtual_port, avoid={port, kubelet_port}),
        user_kubeconfig=str(wishes.user_kubeconfig or base.user_kubeconfig),
    )


def _first(home: Home, *, any_ports: bool) -> Settings:
    """With `any_ports` the usual ones are left alone: clusters that start side by side race for them."""
    taken = [*machine.routes(), *podcidr.claimed(states_directory(), but=home)]
    return Settings(
        node_name=machine.node_name(),
        port=API_PORT,
        kubelet_port=0 if any_ports else KUBELET_PORT,
        virtual_port=0 if any_ports else VIRTUAL_PORT,
        pod_cidr=podcidr.choose(taken),
        service_cidr=SERVICE_CIDR,
        datastore=datastore.sqlite(home.database),
    )


def _api_port(wish: int | None, kept: Settings | None) -> int:
    if wish == 0:
        return kept.port if kept and ports.is_free(kept.port) else ports.find_free()
    port = wish or (kept.port if kept else API_PORT)
    if not ports.is_free(port):
        raise PortBusy(
            f"port {port} is in use by another process",
            hint="stop that process, or choose another port with --port N (0 for any free one)",
        )
    return port


def _kubelet_port(preferred: int, *, avoid: set[int]) -> int:
    if preferred and preferred not in avoid and ports.is_free(preferred):
        return preferred
    return ports.find_free(avoid=avoid)


def _cri_endpoint(wishes: Wishes, base: Settings) -> str:
    wish = base.cri_endpoint if wishes.cri_endpoint is None else wishes.cri_endpoint
    path = wish.removeprefix("unix://")
    if not path or (wishes.cri_endpoint is None and not wishes.node):
        return wish
    path = str(Path(path).absolute())
    if not _listens(path):
        raise UsageError(
            f"no container runtime listens at {wish!r}",
            hint="start it, or name its socket (--cri-endpoint unix:///run/containerd/containerd.sock),"
            " or let kubeling run its own (--cri-endpoint '')",
        )
    return f"unix://{path}"


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (OSError, ValueError):
            return False
    return True
