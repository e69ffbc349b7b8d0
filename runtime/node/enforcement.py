"""Keeps all pods together within what the node can give them: the limits of their common cgroup."""

import logging
from collections.abc import Mapping

from kubeling.objects.clock import Clock
from runtime.node.node_events import NodeEvents
from runtime.pods.cgroups.pod_cgroups import NodeCgroups
from runtime.pods.cgroups.tree import CgroupError

logger = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds between attempts: pods may have more in use than they are to have from now on."""


async def enforce(
    cgroups: NodeCgroups, enforced: Mapping[str, str], events: NodeEvents, clock: Clock
) -> None:
    """Try until it is done, and tell of it in the node's events."""
    while True:
        try:
            await cgroups.begin(enforced)
        except CgroupError as error:
            text = f'Failed to update Node Allocatable Limits ["kubepods"]: {error}'
            logger.warning("%s", text)
            events.warning("FailedNodeAllocatableEnforcement", text)
            await clock.sleep(AGAIN)
        else:
            events.normal("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
            return
