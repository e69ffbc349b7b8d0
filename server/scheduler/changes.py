"""Which nodes have changed, in order, for those who keep something about nodes and want to keep it right."""

from collections.abc import Sequence

from server.scheduler.node_state import NodeState

KEPT = 2000


class Changes:
    """A bounded log: who has not looked for so long that it does not reach back has to look at all nodes."""

    def __init__(self) -> None:
        self._log: list[NodeState] = []
        self._first = 0

    @property
    def last(self) -> int:
        """The number of the next change."""
        return self._first + len(self._log)

    def add(self, node: NodeState) -> None:
        self._log.append(node)
        if len(self._log) > 2 * KEPT:
            del self._log[:KEPT]
            self._first += KEPT

    def since(self, number: int) -> Sequence[NodeState] | None:
        """The nodes that have changed since, some of them perhaps more than once; None when that is not
        known."""
        return self._log[number - self._first :] if number >= self._first else None
