"""What the local plug-ins have said of nodes, remembered for the next pod that they cannot tell from this
one.

Most pods are replicas of others, and between two decisions one node has changed: asking the plug-ins about
all nodes again would be most of a decision's work.
"""

from collections.abc import Sequence
from typing import NamedTuple

from server.scheduler.framework import NodeFilter, Rejection, Scoring
from server.scheduler.node_state import NodeState


class Judgement(NamedTuple):
    """Of a node at one of its generations."""

    generation: int
    rejection: Rejection | None
    score: int
    """Weighted, of all plug-ins whose scores stand by themselves."""
    relative: tuple[int, ...]
    """The scores of those that have to be normalized."""


class Memo:
    """For all pods of one signature. `scorings` come with their weights."""

    def __init__(
        self,
        filters: Sequence[NodeFilter],
        scorings: Sequence[tuple[int, Scoring]],
        names: frozenset[str] | None,
        rejection: Rejection | None,
    ) -> None:
        self.filters = filters
        self.names = names
        """The nodes that come into question; None for all."""
        self.rejection = rejection
        """Why no node does."""
        self.relative = [(weight, scoring) for weight, scoring in scorings if scoring.normalize]
        self._absolute = [(weight, scoring.score) for weight, scoring in scorings if not scoring.normalize]
        self._known: dict[str, Judgement] = {}

    def judge(self, node: NodeState) -> Judgement:
        found = self._known.get(node.name)
        if found is None or found.generation != node.generation:
            found = self._known[node.name] = self._judged(node)
        return found

    def _judged(self, node: NodeState) -> Judgement:
        for ask in self.filters:
            rejection = ask(node)
            if rejection is not None:
                return Judgement(node.generation, rejection, 0, ())
        score = 0
        for weight, points in self._absolute:
            score += weight * points(node)
        return Judgement(
            node.generation, None, score, tuple(scoring.score(node) for _, scoring in self.relative)
        )
