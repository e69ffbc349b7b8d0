"""Brings a node's pod network up and takes it away again.

Responsible for the order: forwarding, masquerade, CNI configuration. The bridge itself is made by the CNI
plug-in with the first pod.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from runtime.cri.machine import find_binary
from runtime.errors import MachineNotReady
from runtime.network.bridge import PodNetwork, write_conflist
from runtime.network.masquerade import install_masquerade, remove_masquerade


def set_up(
    network: PodNetwork, *, cluster_cidrs: Sequence[str], cni_bin: str, cni_conf: Path, data_dir: Path
) -> None:
    """Make the pod network usable; harmless when it is already. Blocks for some hundredths of a second.

    Raises MachineNotReady when the machine refuses.
    """
    _enable_forwarding(network.pod_cidrs)
    install_masquerade(network.table, pod_cidrs=network.pod_cidrs, cluster_cidrs=cluster_cidrs)
    data_dir.mkdir(parents=True, exist_ok=True)
    conflist = network.conflist(
        data_dir=data_dir, port_mapping=port_mapping_works(cni_bin), mtu=_uplink_mtu()
    )
    write_conflist(cni_conf, conflist)


def clean_up(network: PodNetwork, *, data_dir: Path) -> None:
    """Remove bridge, nftables table and address leases. Pods must be gone. Harmless when nothing is there.

    Not for a thread that runs an event loop: it blocks, and pyroute2 has a loop of its own.
    """
    with contextlib.suppress(MachineNotReady):
        remove_masquerade(network.table)
    _delete_link(network.bridge)
    shutil.rmtree(data_dir, ignore_errors=True)


def port_mapping_works(cni_bin: str) -> bool:
    """Whether hostPorts can be had: the portmap plug-in needs an iptables that works."""
    if not (Path(cni_bin) / "portmap").exists():
        return False
    try:
        command = [find_binary("iptables"), "-w", "5", "-t", "nat", "-S", "PREROUTING"]
    except MachineNotReady:
        return False
    return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0


def _enable_forwarding(pod_cidrs: Sequence[str]) -> None:
    switches = ["ipv4/ip_forward"]
    if any(":" in cidr for cidr in pod_cidrs):
        switches.append("ipv6/conf/all/forwarding")
    for switch in switches:
        path = Path("/proc/sys/net") / switch
        if path.read_text().strip() == "1":
            continue
        try:
            path.write_text("1\n")
        except OSError as error:
            name = f"net.{switch.replace('/', '.')}"
            raise MachineNotReady(f"cannot turn on IP forwarding ({name}): {error.strerror}") from error


def _uplink_mtu() -> int | None:
    """MTU of the interface with the default route: pods' packets must fit through it."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, _, flags, *_ = line.split()
        if destination == "00000000" and int(flags, 16) & 1:
            return int(Path(f"/sys/class/net/{interface}/mtu").read_text())
    return None


def _delete_link(name: str) -> None:
    from pyroute2 import IPRoute

    with IPRoute() as links:
        for index in links.link_lookup(ifname=name):
            links.link("del", index=index)
