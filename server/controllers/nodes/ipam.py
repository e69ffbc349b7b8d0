"""Gives each node a network of its own, out of the cluster's pod network, for its pods. The key is the node.

One worker, so that two nodes never get the same one. A Node whose state nobody has reported runs no pods yet
and stays as it was made: who made it by hand can replace it, which a network that may not change forbids.
Virtual nodes, whose pods' addresses lead nowhere, have a network of their own, large enough for thousands.
"""

import logging

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import NODES
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.nodes.cidr_pool import CidrPool
from server.controllers.nodes.virtual import is_virtual

logger = logging.getLogger(__name__)

NODE_PREFIX_LENGTHS = {4: 24, 6: 64}
"""--node-cidr-mask-size-ipv4 and -ipv6."""


def make(context: Context) -> Controller:
    allocator = NodeIpam(context)
    runner = ControllerRunner("node-ipam-controller", allocator.reconcile, clock=context.clock)

    def changed(kind: str, node: Object, _: Object | None) -> None:
        for name in allocator.note(kind, node):
            runner.queue.add(name)

    allocator.nodes.add_handler(changed)
    runner.reads(allocator.nodes)
    return runner


class NodeIpam:
    def __init__(self, context: Context) -> None:
        self.nodes = context.client.informer(NODES)
        self._client = context.client
        self._recorder = context.recorder("cidrAllocator")
        settings = context.settings
        self._real, self._virtual = (
            CidrPool(network, NODE_PREFIX_LENGTHS[network.version])
            for network in (settings.pod_network, settings.virtual_pod_network)
        )
        self._given: dict[str, str] = {}
        """What each node has, or was given and does not show yet."""
        self._without: dict[str, None] = {}
        """The nodes that there was nothing left for, the first one first."""

    def note(self, kind: str, node: Object) -> list[str]:
        """Keep account of a change; the nodes that have to be looked at for it."""
        name, network = meta.name(node), _network(node)
        if kind == "DELETED":
            self._without.pop(name, None)
            return self._release(name)
        if not network:
            return [name] if _is_reported(node) else []
        if network != self._given.get(name):
            released = self._release(name)
            self._given[name] = network
            self._pool(node).occupy(network)
            return released
        return []

    async def reconcile(self, name: str) -> Result:
        node = self.nodes.get("", name)
        if node is None or _network(node) or not _is_reported(node):
            return DONE
        network = self._given.get(name) or self._pool(node).take()
        if network is None:
            self._say_exhausted(node)
            return DONE
        self._given[name] = network
        self._without.pop(name, None)
        try:
            await self._client.patch(NODES, name, {"spec": {"podCIDR": network, "podCIDRs": [network]}})
        except NotFound:
            self._release(name)
        return DONE

    def _pool(self, node: Object) -> CidrPool:
        return self._virtual if is_virtual(node) else self._real

    def _release(self, name: str) -> list[str]:
        """Take back what the node has, and return those who wait for such a thing."""
        network = self._given.pop(name, None)
        if network is None:
            return []
        self._real.release(network)
        self._virtual.release(network)
        return list(self._without)

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
