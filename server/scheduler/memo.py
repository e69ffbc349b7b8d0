"""What the local plug-ins have said of nodes, remembered for the next pod that they cannot tell from this
one.

Most pods are replicas of others, and between two decisions one node has changed: asking the plug-ins about
all nodes again would be most of a decision's work. Nodes are numbered as the cluster orders them.
"""

from collections.abc import Sequence

from server.scheduler.cluster_state import ClusterState
from server.scheduler.demand import Demand
from server.scheduler.framework import NodeFilter, Rejection, Scoring
from server.scheduler.node_state import NodeState

UNKNOWN = -1
REJECTED = -2
MANY = 100
"""Of more changes than this, nodes are judged anew only when they come up."""


class Memo:
    """For all pods of one signature. `scorings` come with their weights."""

    def __init__(
        self,
        demand: Demand,
        filters: Sequence[NodeFilter],
        scorings: Sequence[tuple[int, Scoring]],
        names: frozenset[str] | None,
        rejection: Rejection | None,
    ) -> None:
        self.demand = demand
        self.filters = filters
        self.names = names
        """The nodes that come into question; None for all."""
        self.rejection = rejection
        """Why no node does."""
        self.relative = [(weight, scoring) for weight, scoring in scorings if scoring.normalize]
        self._absolute = [(weight, scoring.score) for weight, scoring in scorings if not scoring.normalize]
        self.scores: list[int] = []
        """By number of node: the weighted sum of all scores that stand by themselves; or below zero."""
        self.rejections: dict[int, Rejection] = {}
        self.relatives: dict[int, tuple[int, ...]] = {}
        """The scores that have to be normalized."""
        self._order = -1
        self._seen = 0

    def refresh(self, cluster: ClusterState) -> None:
        """Judge anew what has changed since the last pod."""
        nodes = cluster.nodes
        changes = cluster.changes.since(self._seen)
        self._seen = cluster.changes.last
        if self._order != cluster.order or changes is None:
            self._order = cluster.order
            self.scores = [UNKNOWN] * len(nodes)
            return
        scores = self.scores
        changed = [node for node in dict.fromkeys(changes) if node.node is not None]
        for node in changed:
            if len(changed) > MANY:
                scores[node.number] = UNKNOWN
            elif scores[node.number] != UNKNOWN:
                self.judge(node)

    def verdict(self, node: NodeState) -> Rejection | None:
        score = self.scores[node.number]
        if score == UNKNOWN:
            score = self.judge(node)
        return self.rejections[node.number] if score == REJECTED else None

    def judge(self, node: NodeState) -> int:
        """Ask the plug-ins; the score, or REJECTED."""
        number = node.number
        for ask in self.filters:
            rejection = ask(node)
            if rejection is not None:
                self.rejections[number] = rejection
                self.scores[number] = REJECTED
                return REJECTED
        score = 0
        for weight, points in self._absolute:
            score += weight * points(node)
        self.scores[number] = score
        if self.relative:
            self.relatives[number] = tuple(scoring.score(node) for _, scoring in self.relative)
        return score
