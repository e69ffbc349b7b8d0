"""Brings the pod network up, with the range of addresses that the node had before, or else gets."""

import asyncio
import logging
from pathlib import Path

from kubeling.client.protocol import Informer
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.config import Config
from runtime.cri.machine import find_cni_dir
from runtime.network.bridge import PodNetwork, configured_ranges
from runtime.network.setup import set_up

logger = logging.getLogger(__name__)


async def pod_cidrs(nodes: Informer, node_name: str) -> tuple[str, ...]:
    """The node's ranges; waits until it has some."""
    found: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()

    def look(kind: str, node: Object, old: Object | None) -> None:
        spec = node.get("spec") or {}
        ranges = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        if node["metadata"]["name"] == node_name and ranges and not found.done():
            found.set_result(tuple(ranges))

    nodes.add_handler(look)
    try:
        return await found
    finally:
        nodes.remove_handler(look)


async def bring_up(config: Config, nodes: Informer, tasks: Tasks) -> PodNetwork:
    """Does not wait for the server where the network has been up before; a new range is followed.

    Raises: MachineNotReady.
    """
    remembered = configured_ranges(cni_directory(config))
    if remembered:
        tasks.start(_follow(config, nodes, remembered), name="pod-network")
    return await _bring_up(config, remembered or await pod_cidrs(nodes, config.node_name))


async def _follow(config: Config, nodes: Informer, remembered: tuple[str, ...]) -> None:
    """A node that was deleted and registered again may have got another range."""
    ranges = await pod_cidrs(nodes, config.node_name)
    if ranges != remembered:
        await _bring_up(config, ranges)


async def _bring_up(config: Config, ranges: tuple[str, ...]) -> PodNetwork:
    network = PodNetwork(config.home, ranges)
    await asyncio.to_thread(
        set_up,
        network,
        cluster_cidrs=[config.pod_cidr],
        cni_bin=find_cni_dir(config.cni_bin),
        cni_conf=cni_directory(config),
        data_dir=leases_directory(config),
    )
    logger.info("pod network %s on bridge %s", ", ".join(ranges), network.bridge)
    return network


def cni_directory(config: Config) -> Path:
    """Where containerd looks for the CNI configuration."""
    return config.root / "cni" / "net.d"


def leases_directory(config: Config) -> Path:
    """Where the CNI plug-in notes which address is whose."""
    return config.root / "cni" / "leases"
