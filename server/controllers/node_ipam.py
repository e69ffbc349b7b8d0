"""Gives each node a network of its own, out of the cluster's pod network, for its pods. The key is the node.

One worker, so that two nodes never get the same one. A Node whose state nobody has reported runs no pods yet
and stays as it was made: who made it by hand can replace it, which a network that may not change forbids.
"""

import logging
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import NODES
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

logger = logging.getLogger(__name__)

NODE_PREFIX_LENGTHS = {4: 24, 6: 64}


def make(context: Context) -> Controller:
    nodes = context.client.informer(NODES)
    given: dict[str, str] = {}
    """What was given out already, for as long as the informer does not show it."""

    async def reconcile(name: str) -> Result:
        node = nodes.get("", name)
        if node is None:
            given.pop(name, None)
            return DONE
        if _network(node) or not _is_reported(node):
            return DONE
        taken = {_network(each) for each in nodes.list()} | set(given.values())
        network = given.get(name) or next(
            (str(each) for each in _networks(context.settings.pod_network) if str(each) not in taken), None
        )
        if network is None:
            return _exhausted(context, node)
        given[name] = network
        await context.client.patch(NODES, name, {"spec": {"podCIDR": network, "podCIDRs": [network]}})
        return DONE

    runner = ControllerRunner("node-ipam-controller", reconcile, clock=context.clock)
    runner.watches(nodes)
    return runner


def _is_reported(node: Object) -> bool:
    return bool((node.get("status") or {}).get("conditions"))


def _network(node: Object) -> str:
    return str((node.get("spec") or {}).get("podCIDR") or "")


def _networks(whole: IPv4Network | IPv6Network) -> Iterator[IPv4Network | IPv6Network]:
    prefix = max(NODE_PREFIX_LENGTHS[whole.version], whole.prefixlen)
    return iter(whole.subnets(new_prefix=prefix))


def _exhausted(context: Context, node: Object) -> Result:
    """Every network is in use: say so and look again, for another node may go."""
    name = meta.name(node)
    logger.warning("no pod network is left for the node %s", name)
    message = f"Node {name} status is now: CIDRNotAvailable"
    context.recorder("node-controller").event(node, "Normal", "CIDRNotAvailable", message)
    return Result(requeue_after=30)
