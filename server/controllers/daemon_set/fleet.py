"""The nodes of one DaemonSet, each with its assessment, and what these add up to.

`touch` says that a node is to be assessed again; `put` replaces its assessment, at a cost that does not
depend on how many nodes there are.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.daemon_set.assessment import Assessment, Counts, Plan, Turn
from server.controllers.owned.patience import Patience

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 900.0
"""Seconds between deletions of failed pods on one node."""
_NAMES = tuple(each.name for each in fields(Counts))


class Fleet:
    def __init__(self, plan: Plan, nodes: Iterable[str]) -> None:
        self.plan = plan
        self.touched = set(nodes)
        self.orphans: set[str] = set()
        """The keys of pods that nobody owns and the selector may select."""
        self._adopted: dict[str, dict[str, Object]] = {}
        """By node and uid: pods that are its own by now, though no handler has been told so yet."""
        self.totals: Counter[str] = Counter()
        self.revisions: Counter[str] = Counter()
        self.available = 0
        self.needing: dict[str, None] = {}
        self.turns: dict[Turn, dict[str, Object | None]] = {turn: {} for turn in Turn}
        self._acting: dict[str, None] = {}
        self._nodes: dict[str, Assessment] = {}
        self._maturing: list[tuple[float, str]] = []
        self.patience = Patience(first=FIRST_BACKOFF, longest=LONGEST_BACKOFF)

    def __contains__(self, node: str) -> bool:
        return node in self._nodes

    def touch(self, node: str) -> None:
        if node:
            self.touched.add(node)

    def adopt(self, node: str, pod: Object) -> None:
        self._adopted.setdefault(node, {})[meta.uid(pod)] = pod
        self.touch(node)

    def forget_adoption(self, node: str, pod: Object) -> None:
        """A handler has been told of the pod, whatever it is now."""
        self._adopted.get(node, {}).pop(meta.uid(pod), None)

    def adopted_on(self, node: str, *, known: Iterable[Object]) -> list[Object]:
        """Those that are not among the known ones."""
        uids = set(map(meta.uid, known))
        return [pod for uid, pod in self._adopted.get(node, {}).items() if uid not in uids]

    def put(self, node: str, found: Assessment, now: float) -> None:
        """`now` and all times here are monotonic seconds."""
        self._drop(node)
        if found == Assessment():
            return
        self._nodes[node] = found
        self._add(found, 1)
        self.turns[found.turn][node] = found.old
        if found.needs_pod:
            self.needing[node] = None
        if found.surplus or found.ended:
            self._acting[node] = None
        if found.matures_in is not None:
            heapq.heappush(self._maturing, (now + found.matures_in, node))

    def touch_matured(self, now: float) -> None:
        while self._maturing and self._maturing[0][0] <= now:
            self.touch(heapq.heappop(self._maturing)[1])

    def matures_in(self, now: float) -> float | None:
        return self._maturing[0][0] - now if self._maturing else None

    def surplus(self) -> list[Object]:
        return [pod for node in self._acting for pod in self._nodes[node].surplus]

    def ended(self) -> list[tuple[str, Object]]:
        """Pods that have ended, each with its node."""
        return [(node, pod) for node in self._acting for pod in self._nodes[node].ended]

    def _drop(self, node: str) -> None:
        found = self._nodes.pop(node, None)
        if found is None:
            return
        self._add(found, -1)
        self.turns[found.turn].pop(node, None)
        self.needing.pop(node, None)
        self._acting.pop(node, None)

    def _add(self, found: Assessment, sign: int) -> None:
        for name in _NAMES:
            if getattr(found.counts, name):
                self.totals[name] += sign
        self.available += sign * found.available
        for revision in found.revisions:
            self.revisions[revision] += sign
