"""Pods that have a node in view which they wait for: what others leave to them, if they are as important."""

from collections.abc import Sequence

from server.scheduler.pod_info import PodInfo


class Nominations:
    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, PodInfo]] = {}
        self._node_of: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._node_of)

    def node_of(self, key: str) -> str:
        return self._node_of.get(key, "")

    def put(self, pod: PodInfo, node: str) -> None:
        self.drop(pod.key)
        self._node_of[pod.key] = node
        self._nodes.setdefault(node, {})[pod.key] = pod

    def drop(self, key: str) -> None:
        node = self._node_of.pop(key, None)
        if node is None:
            return
        del self._nodes[node][key]
        if not self._nodes[node]:
            del self._nodes[node]

    def news(self, pod: PodInfo, old: PodInfo | None) -> None:
        """What a pod without a node says of itself. What was decided here and is not written yet stands."""
        node = pod.nominated_node
        if node:
            self.put(pod, node)
        elif old is not None and old.nominated_node:
            self.drop(pod.key)
        elif pod.key in self._node_of:
            self.put(pod, self._node_of[pod.key])

    def on(self, node: str) -> Sequence[PodInfo]:
        return [*self._nodes.get(node, {}).values()]

    def before(self, pod: PodInfo, node: str) -> Sequence[PodInfo]:
        """Those of others on the node that this pod has to leave room for."""
        return [
            other
            for other in self._nodes.get(node, {}).values()
            if other.priority >= pod.priority and other.uid != pod.uid
        ]
