"""All nodes with their pods, kept current by informer events and by what has just been decided.

A pod that was given a node is *assumed* to be there at once, so that the next decision counts with it; the
informer's news confirms it, or `forget` takes it back when binding failed. What plug-ins want to know of
all the nodes together is counted here as pods come and go, and never anew for a decision.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.changes import Changes
from server.scheduler.domains import DomainIndex, TermIndex
from server.scheduler.node_order import interleaved
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import PlacedPod, SomePod
from server.scheduler.pod_info import PodInfo, is_finished, node_of


class ClusterState:
    def __init__(self) -> None:
        self._states: dict[str, NodeState] = {}
        self._order: list[NodeState] | None = None
        self._placed: dict[str, str] = {}
        """The node of each pod that takes something, by the pod's key."""
        self._assumed: dict[str, str] = {}
        """The uid of each pod that is only assumed to be on its node."""
        self._values: dict[str, list[str | None]] = {}
        """By label, what each node has for it."""
        self.changes = Changes()
        self.order = 0
        """Another number whenever nodes are ordered, and so numbered, otherwise than before."""
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """The labels of each namespace."""
        self.images: Counter[str] = Counter()
        """On how many nodes each image is."""
        self.images_generation = 0
        self.soft_taints = 0
        """How many taints there are that pods would rather avoid."""
        self.domains = DomainIndex(self._existing)
        self.required_affinity = TermIndex(lambda pod: pod.affinity.required)
        self.required_anti_affinity = TermIndex(lambda pod: pod.affinity.required_anti)
        self.preferred_affinity = TermIndex(lambda pod: pod.affinity.preferred)
        self._indexes = (
            self.domains,
            self.required_affinity,
            self.required_anti_affinity,
            self.preferred_affinity,
        )

    @property
    def nodes(self) -> list[NodeState]:
        """Those that exist, the zones taking turns."""
        if self._order is None:
            self._order = interleaved(self._existing())
            self.order += 1
            self._values.clear()
            for number, node in enumerate(self._order):
                node.number = number
        return self._order

    def values(self, label: str, nodes: Sequence[NodeState]) -> list[str | None]:
        """What the nodes have for a label."""
        found = self._values.get(label)
        if found is None:
            found = self._values[label] = [node.labels.get(label) for node in self.nodes]
        return [found[node.number] for node in nodes]

    def node(self, name: str) -> NodeState | None:
        state = self._states.get(name)
        return state if state is not None and state.node is not None else None

    def pods(self) -> Iterator[tuple[SomePod, NodeState]]:
        """Those that are on nodes."""
        for state in self._states.values():
            for pod in state.pods.values():
                yield pod, state

    def is_assumed(self, key: str) -> bool:
        return key in self._assumed

    def put_namespace(self, namespace: Object) -> None:
        name, labels = meta.name(namespace), meta.labels(namespace)
        if self.namespaces.get(name) != labels:
            self.namespaces[name] = labels
            self.domains.clear()

    def put_node(self, node: Object) -> None:
        state = self._state(meta.name(node))
        if state.node is None or _differs(state.node, node):
            self._set_node(state, node)
        else:
            state.node = node

    def remove_node(self, name: str) -> None:
        state = self._state(name)
        self._set_node(state, None)
        self._drop_if_empty(state)

    def _set_node(self, state: NodeState, node: Object | None) -> None:
        moves = node is None or state.node is None or meta.labels(node) != state.labels
        for index in self._indexes:
            index.count_node(state, -1)
        self._count_node(state, -1)
        state.set_node(node)
        self._count_node(state, 1)
        for index in self._indexes:
            index.count_node(state, 1)
        self.changes.add(state)
        if moves:
            self._order = None

    def _count_node(self, state: NodeState, sign: int) -> None:
        if state.node is None:
            return
        self.soft_taints += sign * sum(taint.get("effect") == "PreferNoSchedule" for taint in state.taints)
        if self.images or state.images:
            self.images_generation += 1
        for name in state.images:
            self.images[name] += sign

    def put_pod(self, pod: Object) -> None:
        """News of a pod: count it where it is, or no more."""
        key, node = meta.key(pod), node_of(pod)
        if not node and self._assumed.get(key) == meta.uid(pod):
            return
        gone = not node or is_finished(pod)
        if not gone and self._placed.get(key) == node:
            known = self._states[node].pods[key]
            if isinstance(known, PlacedPod) and known.is_same(pod):
                known.follow(pod)
                self._assumed.pop(key, None)
                return
        self.remove_pod(key)
        if not gone:
            self._place(PlacedPod.of(PodInfo(pod)), node)

    def remove_pod(self, key: str) -> None:
        self._assumed.pop(key, None)
        name = self._placed.pop(key, None)
        if name is None:
            return
        state = self._state(name)
        pod = state.remove_pod(key)
        if pod is not None:
            self._moved(pod, state, -1)
        self._drop_if_empty(state)

    def assume(self, pod: PodInfo, node: str) -> None:
        self.remove_pod(pod.key)
        self._assumed[pod.key] = pod.uid
        self._place(PlacedPod.of(pod), node)

    def forget(self, pod: PodInfo) -> None:
        """Binding failed: unless the pod is known to be somewhere by now."""
        if self._assumed.get(pod.key) == pod.uid:
            self.remove_pod(pod.key)

    def _place(self, pod: PlacedPod, node: str) -> None:
        self._placed[pod.key] = node
        state = self._state(node)
        state.add_pod(pod)
        self._moved(pod, state, 1)

    def _moved(self, pod: SomePod, state: NodeState, sign: int) -> None:
        self.changes.add(state)
        for index in self._indexes:
            index.count_pod(pod, state, sign)

    def _existing(self) -> list[NodeState]:
        return [state for state in self._states.values() if state.node is not None]

    def _state(self, name: str) -> NodeState:
        if name not in self._states:
            self._states[name] = NodeState(name)
        return self._states[name]

    def _drop_if_empty(self, state: NodeState) -> None:
        if state.node is None and not state.pods:
            self._states.pop(state.name, None)


def _differs(old: Object, new: Object) -> bool:
    """In anything that is decided by; heartbeats do not."""
    before, after = old.get("status") or {}, new.get("status") or {}
    return (
        old.get("spec") != new.get("spec")
        or meta.labels(old) != meta.labels(new)
        or before.get("allocatable") != after.get("allocatable")
        or before.get("images") != after.get("images")
        or meta.uid(old) != meta.uid(new)
    )
