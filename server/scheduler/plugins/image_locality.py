"""Prefers nodes that have the pod's images already, the more the larger they are and the more nodes have
them."""

from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import TOP_SCORE, Plugin, Scoring
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo

NAME = "ImageLocality"
_MIB = 1024 * 1024
LEAST = 23 * _MIB
MOST_PER_CONTAINER = 1000 * _MIB


class ImageLocality(Plugin):
    name = NAME
    points = frozenset({"score"})
    local = True

    def pre_score(self, pod: PodInfo, cluster: ClusterState) -> Scoring | None:
        containers = [*(pod.spec.get("initContainers") or ()), *(pod.spec.get("containers") or ())]
        images = [full_name(str(each.get("image") or "")) for each in containers]
        shares = {
            name: cluster.images[name] / len(cluster.nodes) for name in images if cluster.images.get(name)
        }
        if not shares:
            return None
        most = MOST_PER_CONTAINER * len(containers)

        def score(node: NodeState) -> int:
            there = sum(int(node.images.get(name, 0) * shares.get(name, 0)) for name in images)
            return TOP_SCORE * (min(max(there, LEAST), most) - LEAST) // (most - LEAST)

        return Scoring(score)


def full_name(image: str) -> str:
    """With the tag `latest` where neither tag nor digest is given."""
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
