"""The pods that a node has taken, and what it has given to each: one record for all workers of the node."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.pods.admission.predicates import Amounts, amounts
from runtime.pods.cgroups.qos import GUARANTEED, priority, qos_class

if TYPE_CHECKING:
    from runtime.pods.work import PodWork


@dataclass(slots=True)
class Holding:
    work: "PodWork"
    amounts: Amounts
    """While a resize is under way, the larger of what the pod had and what it gets."""


class Admitted:
    def __init__(self) -> None:
        self._held: dict[str, Holding] = {}
        self._waiting: dict[str, PodWork] = {}

    def take(self, work: "PodWork") -> None:
        """The pod is the node's, with what `work.pod` says."""
        self._held[work.identity.uid] = Holding(work, amounts(work.pod))
        self._waiting.pop(work.identity.uid, None)

    def raise_to(self, work: "PodWork", wanted: Amounts) -> None:
        """The pod holds both what it had and what it is to get."""
        holding = self._held[work.identity.uid]
        names = {*holding.amounts, *wanted}
        holding.amounts = {
            name: max(holding.amounts.get(name, 0), wanted.get(name, 0)) for name in sorted(names)
        }

    def release(self, uid: str) -> None:
        """The pod needs nothing any more: those that wait for room may look again."""
        self._waiting.pop(uid, None)
        if self._held.pop(uid, None) is not None:
            self.tell()

    def tell(self) -> None:
        """There is more room than before."""
        for work in sorted(self._waiting.values(), key=_rank):
            work.wake()

    def wait(self, work: "PodWork") -> None:
        """Let the pod's worker be woken when there is more room."""
        self._waiting[work.identity.uid] = work

    def stop_waiting(self, work: "PodWork") -> None:
        self._waiting.pop(work.identity.uid, None)

    def beside(self, uid: str) -> list[Holding]:
        """What the other pods hold."""
        return [holding for holder, holding in self._held.items() if holder != uid]

    def works(self) -> Iterable["PodWork"]:
        return [holding.work for holding in self._held.values()]


def _rank(work: "PodWork") -> tuple[int, bool]:
    """The most important first; of equals those that wait longest, as they are in order."""
    return -priority(work.pod), qos_class(work.pod) != GUARANTEED
