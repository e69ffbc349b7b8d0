"""Which network each node's pods have: one of its own, out of the cluster's pod network.

A Node whose state nobody has reported runs no pods yet and stays as it was made: who made it by hand can
replace it, which a network that may not change forbids. Virtual nodes, whose pods' addresses lead nowhere,
share a range of their own, large enough for thousands. What is given here is written by `lifecycle`.
"""

import logging
from collections.abc import Callable

from kubeling.client import EventRecorder
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Settings
from server.controllers.nodes.cidr_pool import CidrPool
from server.controllers.nodes.virtual import is_virtual

logger = logging.getLogger(__name__)

NODE_PREFIX_LENGTHS = {4: 24, 6: 64}
"""--node-cidr-mask-size-ipv4 and -ipv6."""


class NodeIpam:
    """`look(name)` is called for a node that there was nothing left for, when there may be."""

    def __init__(self, settings: Settings, recorder: EventRecorder, look: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._look = look
        self._real, self._virtual = (
            CidrPool(network, NODE_PREFIX_LENGTHS[network.version])
            for network in (settings.pod_network, settings.virtual_pod_network)
        )
        self._given: dict[str, str] = {}
        """What each node has, or was given and does not show yet."""
        self._without: dict[str, None] = {}
        """The nodes that there was nothing left for, the first one first."""

    def observe(self, node: Object) -> None:
        """A network that the node has, wherever from, is no other's."""
        name, network = meta.name(node), _network(node)
        if network and network != self._given.get(name):
            self._release(name)
            self._given[name] = network
            for pool in (self._real, self._virtual):
                pool.occupy(network)

    def forget(self, name: str) -> None:
        self._without.pop(name, None)
        self._release(name)

    def give(self, node: Object) -> str | None:
        """The network that the node is to have and does not have; the same one until it does."""
        name = meta.name(node)
        if _network(node) or not _is_reported(node):
            return None
        network = self._given.get(name) or self._pool(node).take()
        if network is None:
            self._say_exhausted(node)
            return None
        self._given[name] = network
        self._without.pop(name, None)
        return network

    def _pool(self, node: Object) -> CidrPool:
        return self._virtual if is_virtual(node) else self._real

    def _release(self, name: str) -> None:
        network = self._given.pop(name, None)
        if network is None:
            return
        self._real.release(network)
        self._virtual.release(network)
        for waiting in self._without:
            self._look(waiting)

    def _say_exhausted(self, node: Object) -> None:
        """Once for each node; it is looked at again when another node has gone."""
        name = meta.name(node)
        if name not in self._without:
            self._without[name] = None
            logger.warning("no pod network is left for the node %s", name)
            message = f"Node {name} status is now: CIDRNotAvailable"
            self._recorder.event(node, "Normal", "CIDRNotAvailable", message)


def _is_reported(node: Object) -> bool:
    return bool((node.get("status") or {}).get("conditions"))


def _network(node: Object) -> str:
    return str((node.get("spec") or {}).get("podCIDR") or "")
