"""How many pods each ReplicaSet gets or loses when a Deployment is scaled in the middle of a rollout.

In proportion to their sizes, so that the share of pods that are new - and perhaps broken - stays the same.
"""

from collections.abc import Sequence
from math import floor

from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import most_pods, wanted
from server.controllers.deployment.replica_sets import MAX_REPLICAS, largest_first, number, size, total_size


def proportional_sizes(deployment: Object, replica_sets: Sequence[Object]) -> list[tuple[Object, int]]:
    """The active ReplicaSets with their new sizes. What rounding leaves over is the largest one's."""
    allowed = most_pods(deployment) if wanted(deployment) > 0 else 0
    adding = allowed - total_size(replica_sets)
    ordered = largest_first(replica_sets, newest_first=adding > 0)
    sizes, added = [], 0
    for each in ordered:
        share = _share(each, deployment, adding, added)
        added += share
        sizes.append(size(each) + share)
    if sizes and adding:
        sizes[0] = max(sizes[0] + adding - added, 0)
    return list(zip(ordered, sizes, strict=True))


def _share(replica_set: Object, deployment: Object, adding: int, added: int) -> int:
    if size(replica_set) == 0 or adding in (0, added):
        return 0
    left = adding - added
    share = _fraction(replica_set, deployment)
    return min(share, left) if adding > 0 else max(share, left)


def _fraction(replica_set: Object, deployment: Object) -> int:
    """The change that keeps the ReplicaSet's share of all pods that there may be."""
    own = size(replica_set)
    if wanted(deployment) == 0:
        return -own
    before = number(replica_set, MAX_REPLICAS) or int((deployment.get("status") or {}).get("replicas") or 0)
    if before == 0:
        return 0
    return _rounded(own * most_pods(deployment) / before) - own


def _rounded(value: float) -> int:
    """Halves away from zero; sizes are never negative."""
    return floor(value + 0.5)
