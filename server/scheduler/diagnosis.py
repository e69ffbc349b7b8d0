"""What became of a candidate at each node, and how Kubernetes words it in the event and the condition."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from server.scheduler.framework import ClusterEvent, Rejection

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."


@dataclass(slots=True)
class Diagnosis:
    """Why no node would do."""

    rejections: dict[str, Rejection] = field(default_factory=dict)
    events: set[ClusterEvent] = field(default_factory=lambda: {ClusterEvent.NODE_ADDED})
    """What may change that."""

    def message(self, *, preemption_policy: str = "") -> str:
        if not self.rejections:
            return NO_NODES
        reasons = (reason for rejection in self.rejections.values() for reason in rejection.reasons)
        return f"{self._available(reasons)} preemption: {self._preemption(preemption_policy)}"

    def _preemption(self, policy: str) -> str:
        if policy == "Never":
            return NEVER
        return self._available(
            NO_VICTIMS if rejection.resolvable else NOT_HELPFUL for rejection in self.rejections.values()
        )

    def _available(self, reasons: Iterable[str]) -> str:
        counts = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
        return f"0/{len(self.rejections)} nodes are available: {', '.join(counts)}."
