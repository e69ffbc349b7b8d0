"""In which order nodes are looked at: the zones take turns, so that any few in a row are spread over all
of them."""

from collections.abc import Iterable
from itertools import chain, zip_longest

from server.scheduler.node_state import NodeState

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
OLD_ZONE, OLD_REGION = "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"


def interleaved(nodes: Iterable[NodeState]) -> list[NodeState]:
    zones: dict[tuple[str, str], list[NodeState]] = {}
    for node in nodes:
        zones.setdefault(_zone(node), []).append(node)
    if len(zones) == 1:
        return next(iter(zones.values()))
    return [node for node in chain.from_iterable(zip_longest(*zones.values())) if node is not None]


def _zone(node: NodeState) -> tuple[str, str]:
    labels = node.labels
    return (
        labels.get(REGION) or labels.get(OLD_REGION) or "",
        labels.get(ZONE) or labels.get(OLD_ZONE) or "",
    )
