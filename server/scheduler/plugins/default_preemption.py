"""Finds room for a pod by taking it from less important ones: which node, and which of its pods have to go.

Only decides: `server.scheduler.eviction` does it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kubeling.objects import meta
from kubeling.objects.labels import Selector
from kubeling.objects.meta import Object
from server.scheduler.diagnosis import available
from server.scheduler.framework import Plugin, Rejection
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import PlacedPod
from server.scheduler.pod_terms import selector_of

if TYPE_CHECKING:
    from server.scheduler.cycle import Cycle, Trial

NAME = "DefaultPreemption"
IN_A_ROW = 8
"""Nodes that are tried without a pause."""
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = Rejection(NAME, ("No preemption victims found for incoming pod",))
NEVER = "not eligible due to preemptionPolicy=Never."
UNDER_WAY = "not eligible due to a terminating pod on the nominated node."


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, the pods that would have to go, most important first, and how many budgets that would
    violate."""

    node: str
    victims: tuple[PlacedPod, ...]
    violations: int


class DefaultPreemption(Plugin):
    name = NAME
    points = frozenset({"preEnqueue", "postFilter"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._percentage = int(args.get("minCandidateNodesPercentage", 10))
        self._absolute = int(args.get("minCandidateNodesAbsolute", 100))
        self._budgets = handles.budgets
        self._clock = handles.clock

    def ineligible(self, cycle: "Cycle") -> str:
        """Why the pod may not take room from others; empty when it may."""
        pod = cycle.pod
        if pod.spec.get("preemptionPolicy") == "Never":
            return NEVER
        node = cycle.cluster.node(pod.nominated_node or cycle.nominations.node_of(pod.key))
        if node is None:
            return ""
        rejection = cycle.diagnosis.at(node.name)
        if rejection is not None and not rejection.resolvable:
            return ""
        leaving = any(
            isinstance(other, PlacedPod) and other.leaving and other.priority < pod.priority
            for other in node.pods.values()
        )
        return UNDER_WAY if leaving else ""

    async def candidates(self, cycle: "Cycle") -> tuple[list[Candidate], str]:
        """Nodes where it helps; or why there are none. Lets others run meanwhile: there may be many nodes."""
        rejections = cycle.diagnosis.rejections
        nodes = [
            node
            for node in cycle.cluster.nodes
            if (rejection := rejections.get(node.name)) is not None and rejection.resolvable
        ]
        found, reasons = await self._tried(cycle, nodes)
        if found:
            return found, ""
        counts = Counter(reason for each in reasons for reason in each.reasons)
        if absent := cycle.diagnosis.total - len(reasons):
            counts[NOT_HELPFUL] += absent
        return [], available(cycle.diagnosis.total, counts)

    async def _tried(
        self, cycle: "Cycle", nodes: Sequence[NodeState]
    ) -> tuple[list[Candidate], list[Rejection]]:
        budgets = [_Budget(each) for each in self._budgets.list()] if nodes else []
        enough = min(max(len(nodes) * self._percentage // 100, self._absolute), len(nodes))
        offset = random.randrange(len(nodes)) if nodes else 0
        found: list[Candidate] = []
        reasons: list[Rejection] = []
        for number, node in enumerate((*nodes[offset:], *nodes[:offset])):
            if number % IN_A_ROW == IN_A_ROW - 1:
                await asyncio.sleep(0)
            candidate = self._on(cycle, node, budgets)
            if isinstance(candidate, Rejection):
                reasons.append(candidate)
                continue
            found.append(candidate)
            if len(found) >= enough and any(not each.violations for each in found):
                break
        return found, reasons

    def _on(self, cycle: "Cycle", node: NodeState, budgets: Sequence["_Budget"]) -> Candidate | Rejection:
        from server.scheduler.cycle import Trial

        lesser = [
            pod
            for pod in node.pods.values()
            if isinstance(pod, PlacedPod) and pod.priority < cycle.pod.priority
        ]
        if not lesser:
            return NO_VICTIMS
        trial = Trial(cycle, node)
        for pod in lesser:
            trial.remove(pod)
        refusal = trial.refusal_with_nominated()
        if refusal is not None:
            return refusal
        lesser.sort(key=self._importance)
        violating, others = _split(lesser, budgets)
        victims = [pod for pod in violating if not _spared(trial, pod)]
        violations = len(victims)
        victims += [pod for pod in others if not _spared(trial, pod)]
        return Candidate(node.name, tuple(sorted(victims, key=self._importance)), violations)

    def _importance(self, pod: PlacedPod) -> tuple[int, datetime]:
        """Of more important pods less: the higher priority first, then who runs longest."""
        return -pod.priority, self._started(pod)

    def _started(self, pod: PlacedPod) -> datetime:
        return meta.parse_timestamp(pod.started) if pod.started else self._clock.now()

    def best(self, candidates: Sequence[Candidate]) -> Candidate:
        """The least harm: see the criteria, each of which decides among those that are equal by those
        before."""
        if len(candidates) == 1:
            return candidates[0]
        return min(candidates, key=self._harm)

    def _harm(self, candidate: Candidate) -> tuple[float, ...]:
        victims = candidate.victims
        if not victims:
            return (float("-inf"),)
        highest = victims[0].priority
        return (
            candidate.violations,
            highest,
            sum(pod.priority + 2**31 for pod in victims),
            len(victims),
            -min(self._started(pod) for pod in victims if pod.priority == highest).timestamp(),
        )


def _spared(trial: "Trial", pod: PlacedPod) -> bool:
    """Whether there is room with this pod back in its place."""
    trial.add(pod)
    if trial.refusal_with_nominated() is None:
        return True
    trial.remove(pod)
    return False


class _Budget:
    def __init__(self, budget: Object) -> None:
        status = budget.get("status") or {}
        self.namespace = meta.namespace(budget)
        self.allowed = int(status.get("disruptionsAllowed") or 0)
        self._disrupted = status.get("disruptedPods") or {}
        self._selector: Selector = selector_of((budget.get("spec") or {}).get("selector"))

    def covers(self, pod: PlacedPod) -> bool:
        return (
            pod.namespace == self.namespace
            and not self._selector.empty
            and self._selector.matches(pod.labels)
            and pod.name not in self._disrupted
        )


def _split(pods: Iterable[PlacedPod], budgets: Sequence[_Budget]) -> tuple[list[PlacedPod], list[PlacedPod]]:
    """Those whose going would violate a budget, were all before them gone, and the others."""
    left = [budget.allowed for budget in budgets]
    violating: list[PlacedPod] = []
    others: list[PlacedPod] = []
    for pod in pods:
        violated = False
        for position, budget in enumerate(budgets):
            if pod.labels and budget.covers(pod):
                left[position] -= 1
                violated = violated or left[position] < 0
        (violating if violated else others).append(pod)
    return violating, others
