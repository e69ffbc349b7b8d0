"""How pods are spread over the domains of a topology, counted as they come and go.

A domain is what the nodes with one value of a label form: a zone, or a single host. Nothing here is counted
by looking at all pods for each decision: a question that was asked once is kept answered.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_terms import Term

KEPT = 256
"""Questions that are kept answered; the least recently asked is dropped."""

Counts = dict[str, int]


def add(counts: Counts, value: str, number: int) -> None:
    """What comes to nothing is dropped."""
    total = counts.get(value, 0) + number
    if total:
        counts[value] = total
    else:
        counts.pop(value, None)


class Domains:
    """The matching pods on the included nodes by domain."""

    def __init__(
        self, key: str, counted: Callable[[SomePod], bool], included: Callable[[NodeState], bool]
    ) -> None:
        self.key = key
        self.counted = counted
        self.included = included
        self.pods: Counts = {}
        self.nodes: Counts = {}
        """How many nodes make up each domain, those without pods among them."""

    def domain(self, node: NodeState) -> str | None:
        """None for a node that does not count."""
        value = node.labels.get(self.key)
        return value if value is not None and node.node is not None and self.included(node) else None

    def count_node(self, node: NodeState, sign: int) -> None:
        value = self.domain(node)
        if value is not None:
            add(self.nodes, value, sign)
            add(self.pods, value, sign * sum(map(self.counted, node.pods.values())))

    def count_pod(self, pod: SomePod, node: NodeState, sign: int) -> None:
        if self.counted(pod):
            value = self.domain(node)
            if value is not None:
                add(self.pods, value, sign)


class DomainIndex:
    """The Domains that have been asked for, by whatever identifies the question."""

    def __init__(self, nodes: Callable[[], Iterable[NodeState]]) -> None:
        self._nodes = nodes
        self._kept: OrderedDict[object, Domains] = OrderedDict()

    def get(self, identity: object, make: Callable[[], Domains]) -> Domains:
        found = self._kept.get(identity)
        if found is not None:
            self._kept.move_to_end(identity)
            return found
        found = self._kept[identity] = make()
        for node in self._nodes():
            found.count_node(node, 1)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def clear(self) -> None:
        self._kept.clear()

    def count_node(self, node: NodeState, sign: int) -> None:
        for each in self._kept.values():
            each.count_node(node, sign)

    def count_pod(self, pod: SomePod, node: NodeState, sign: int) -> None:
        for each in self._kept.values():
            each.count_pod(pod, node, sign)


class TermIndex:
    """The terms of the pods that run, by domain: for each term, how many pods that have it are in each."""

    def __init__(self, terms_of: Callable[[SomePod], Iterable[Term]]) -> None:
        self._terms_of = terms_of
        self._found: dict[Term, Counts] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def items(self) -> Iterable[tuple[Term, Counts]]:
        return self._found.items()

    def count_pod(self, pod: SomePod, node: NodeState, sign: int) -> None:
        for term in self._terms_of(pod):
            value = node.labels.get(term.topology_key)
            if value is None or node.node is None:
                continue
            counts = self._found.setdefault(term, {})
            add(counts, value, sign)
            if not counts:
                del self._found[term]

    def count_node(self, node: NodeState, sign: int) -> None:
        for pod in node.pods.values():
            self.count_pod(pod, node, sign)
