"""All nodes with their pods, kept current by informer events and by what has just been decided.

A pod that was given a node is *assumed* to be there at once, so that the next decision counts with it; the
informer's news confirms it, or `forget` takes it back when binding failed.
"""

from collections.abc import Sequence

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.demand import Demand, demand
from server.scheduler.node_state import NodeState

FINISHED = ("Succeeded", "Failed")


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def is_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in FINISHED


class ClusterState:
    def __init__(self) -> None:
        self._nodes: dict[str, NodeState] = {}
        self._placed: dict[str, str] = {}
        """The node of each pod that takes something, by the pod's key."""
        self._assumed: dict[str, str] = {}
        """The uid of each pod that is only assumed to be on its node."""

    @property
    def nodes(self) -> Sequence[NodeState]:
        """Those that exist."""
        return [state for state in self._nodes.values() if state.node is not None]

    def is_assumed(self, key: str) -> bool:
        return key in self._assumed

    def put_node(self, node: Object) -> None:
        self._state(meta.name(node)).set_node(node)

    def remove_node(self, name: str) -> None:
        state = self._state(name)
        state.set_node(None)
        self._drop_if_empty(state)

    def put_pod(self, pod: Object) -> None:
        """News of a pod: count it where it is, or no more."""
        key = meta.key(pod)
        if not node_of(pod) and self._assumed.get(key) == meta.uid(pod):
            return
        self.remove_pod(key)
        if node_of(pod) and not is_finished(pod):
            self._place(key, node_of(pod), demand(pod))

    def remove_pod(self, key: str) -> None:
        self._assumed.pop(key, None)
        name = self._placed.pop(key, None)
        if name is not None:
            state = self._state(name)
            state.remove_pod(key)
            self._drop_if_empty(state)

    def assume(self, pod: Object, node: str, wanted: Demand) -> None:
        key = meta.key(pod)
        self.remove_pod(key)
        self._assumed[key] = meta.uid(pod)
        self._place(key, node, wanted)

    def forget(self, pod: Object) -> None:
        """Binding failed: unless the pod is known to be somewhere by now."""
        if self._assumed.get(meta.key(pod)) == meta.uid(pod):
            self.remove_pod(meta.key(pod))

    def _place(self, key: str, node: str, wanted: Demand) -> None:
        self._placed[key] = node
        self._state(node).add_pod(key, wanted)

    def _state(self, name: str) -> NodeState:
        if name not in self._nodes:
            self._nodes[name] = NodeState(name)
        return self._nodes[name]

    def _drop_if_empty(self, state: NodeState) -> None:
        if state.node is None and not state.pods:
            self._nodes.pop(state.name, None)
