"""What became of a pod at each node, and how Kubernetes words it in the event and the condition."""

from collections import Counter
from dataclasses import dataclass, field

from server.scheduler.framework import Rejection
from server.scheduler.queue import NO_NODES as NO_NODES_AT_ALL

NO_NODES = "no nodes available to schedule pods"


@dataclass(slots=True)
class Diagnosis:
    """Why no node would do."""

    total: int
    """How many nodes there are."""
    rejections: dict[str, Rejection] = field(default_factory=dict)
    """By node."""
    everywhere: Rejection | None = None
    """What was said without asking about any node."""
    elsewhere: Rejection | None = None
    """What holds for nodes that did not come into question."""
    hopeless: bool = False
    """Whether there is no node that the pod could go on waiting for."""
    preemption: str = ""
    """Why that does not help, or is not tried."""

    @property
    def rejectors(self) -> frozenset[str]:
        """The plug-ins that have to change their minds."""
        found = {rejection.plugin for rejection in self.rejections.values()}
        found |= {each.plugin for each in (self.everywhere, self.elsewhere) if each is not None}
        return frozenset(found or {NO_NODES_AT_ALL})

    def at(self, node: str) -> Rejection | None:
        return self.rejections.get(node) or self.everywhere or self.elsewhere

    def message(self) -> str:
        if not self.total:
            return NO_NODES
        said = [available(self.total, self._counts())] if self.everywhere is None else [self._at_all()]
        if self.preemption:
            said.append(f"preemption: {self.preemption}")
        return " ".join(said)

    def _at_all(self) -> str:
        assert self.everywhere is not None
        return f"0/{self.total} nodes are available: {', '.join(self.everywhere.reasons)}."

    def _counts(self) -> Counter[str]:
        counts = Counter(reason for each in self.rejections.values() for reason in each.reasons)
        absent = self.total - len(self.rejections)
        if self.elsewhere is not None and absent:
            counts.update(dict.fromkeys(self.elsewhere.reasons, absent))
        return counts


def available(total: int, reasons: Counter[str]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`"""
    counts = sorted(f"{count} {reason}" for reason, count in reasons.items())
    text = f" {', '.join(counts)}." if counts else ""
    return f"0/{total} nodes are available:{text}"
