"""One pod's turn: which nodes will do, which is best, and why not. Changes nothing."""

import random
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from server.scheduler.cluster_state import ClusterState
from server.scheduler.diagnosis import Diagnosis
from server.scheduler.framework import CountingFilter, NodeFilter, Rejection
from server.scheduler.memo import UNKNOWN
from server.scheduler.node_state import NodeState
from server.scheduler.nominations import Nominations
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_info import PodInfo
from server.scheduler.profile import Profile

FEW_NODES = 100
"""So many that will do are looked for in any case."""


class Cycle:
    def __init__(
        self, profile: Profile, pod: PodInfo, cluster: ClusterState, nominations: Nominations
    ) -> None:
        self.profile = profile
        self.pod = pod
        self.cluster = cluster
        self.nominations = nominations
        self.memo = profile.memo(pod, cluster)
        self.memo.refresh(cluster)
        self.wide: list[NodeFilter] = []
        self.rejection = self.memo.rejection
        self._names = self.memo.names
        if self.rejection is None:
            self.wide, names, self.rejection = profile.wide_filters(pod, cluster)
            if names is not None:
                self._names = names if self._names is None else names & self._names
        self.diagnosis = Diagnosis(len(cluster.nodes), everywhere=self.rejection)
        self.looked_at = 0
        self._window: tuple[list[NodeState], list[int]] = ([], [])
        """Nodes that are known to do, and their scores."""

    def feasible(self, start: int) -> list[NodeState]:
        """Nodes that will do, as many as are to be compared; looked for from the start-th on.

        Those that will not are in the diagnosis, and how many were looked at is in `looked_at`.
        """
        if self.rejection is not None:
            return []
        nominated = self._nominated()
        if nominated is not None:
            return [nominated]
        wanted = to_find(len(self.cluster.nodes), self.profile.percentage)
        if self._names is None and not self.wide and not self.nominations:
            found = self._known(start, wanted)
            if found is not None:
                return found
        return self._searched(self._candidates(start), wanted)

    def _known(self, start: int, wanted: int) -> list[NodeState] | None:
        """The next nodes, if all of them are known to do."""
        scores, nodes = self.memo.scores, self.cluster.nodes
        end = start + wanted
        window = scores[start:end] + scores[: max(end - len(scores), 0)]
        if not window or min(window) < 0:
            return None
        self.looked_at = wanted
        self._window = (nodes[start:end] + nodes[: max(end - len(nodes), 0)], window)
        return self._window[0]

    def _searched(self, candidates: Iterable[NodeState], wanted: int) -> list[NodeState]:
        found: list[NodeState] = []
        scores, judge, wide, others = self.memo.scores, self.memo.judge, self.wide, bool(self.nominations)
        for node in candidates:
            self.looked_at += 1
            score = scores[node.number]
            if score == UNKNOWN:
                score = judge(node)
            if score < 0 or others:
                rejection = self.verdict(node)
            else:
                rejection = first_refusal(wide, node) if wide else None
            if rejection is None:
                found.append(node)
                if len(found) >= wanted:
                    break
            else:
                self.diagnosis.rejections[node.name] = rejection
        return found

    def _nominated(self) -> NodeState | None:
        """The node that the pod has been waiting for, if it will do now."""
        node = self.cluster.node(self.pod.nominated_node or self.nominations.node_of(self.pod.key))
        if node is None or (self._names is not None and node.name not in self._names):
            return None
        return node if self.verdict(node) is None else None

    def _candidates(self, start: int) -> Iterable[NodeState]:
        nodes = self.cluster.nodes
        if self._names is not None:
            self.diagnosis.elsewhere = Rejection(
                "NodeAffinity", ("node(s) didn't satisfy plugin(s) [NodeAffinity]",)
            )
            return filter(None, map(self.cluster.node, sorted(self._names)))
        return chain(islice(nodes, start, None), islice(nodes, start))

    def verdict(self, node: NodeState) -> Rejection | None:
        """Whether the node will do, with those pods on it, too, that wait for it and are as important."""
        if self.nominations:
            others = self.nominations.before(self.pod, node.name)
            if others:
                trial = Trial(self, node)
                for other in others:
                    trial.add(other)
                rejection = trial.refusal()
                if rejection is not None:
                    return rejection
        rejection = self.memo.verdict(node)
        if rejection is None and self.wide:
            return first_refusal(self.wide, node)
        return rejection

    def present(self, nodes: Sequence[NodeState]) -> list[NodeState]:
        """Those that are still there, after others have run."""
        self.memo.refresh(self.cluster)
        return [node for node in nodes if node.node is not None and self.memo.verdict(node) is None]

    def scores(self, nodes: Sequence[NodeState]) -> list[int]:
        """Of nodes that will do."""
        known = self.memo.scores
        totals = self._window[1] if nodes is self._window[0] else [known[node.number] for node in nodes]
        for position, (weight, scoring) in enumerate(self.memo.relative):
            assert scoring.normalize is not None
            points = scoring.normalize([self.memo.relatives[node.number][position] for node in nodes])
            totals = [total + weight * point for total, point in zip(totals, points, strict=True)]
        for weight, points in self.profile.comparisons(self.pod, self.cluster, nodes):
            totals = [total + weight * point for total, point in zip(totals, points, strict=True)]
        return totals


def best(nodes: Sequence[NodeState], scores: list[int]) -> NodeState:
    """Among equals chance decides."""
    most = max(scores)
    if scores.count(most) == 1:
        return nodes[scores.index(most)]
    return random.choice([node for node, score in zip(nodes, scores, strict=True) if score == most])


def to_find(nodes: int, percentage: int | None) -> int:
    """How many nodes that will do are enough.

    Upstream lets the part shrink as the nodes grow in number; here it ends at FEW_NODES right away, so that a
    decision costs the same however many there are. A percentage that is configured is upstream's.
    """
    part = nodes * percentage // 100 if percentage else 0
    return min(nodes, max(part, FEW_NODES))


def first_refusal(filters: Iterable[NodeFilter], node: NodeState) -> Rejection | None:
    for ask in filters:
        rejection = ask(node)
        if rejection is not None:
            return rejection
    return None


class Trial:
    """Suppositions about one node: would it do with these pods, without those?"""

    def __init__(self, cycle: Cycle, node: NodeState) -> None:
        self._cycle = cycle
        self.node = node.clone()
        self._wide = [each.copy() if isinstance(each, CountingFilter) else each for each in cycle.wide]
        self._counting = [each for each in self._wide if isinstance(each, CountingFilter)]

    def add(self, pod: SomePod) -> None:
        self.node.add_pod(pod)
        for each in self._counting:
            each.added(pod, self.node)

    def remove(self, pod: SomePod) -> None:
        self.node.remove_pod(pod.key)
        for each in self._counting:
            each.removed(pod, self.node)

    def refusal(self) -> Rejection | None:
        return first_refusal(chain(self._cycle.memo.filters, self._wide), self.node)

    def refusal_with_nominated(self) -> Rejection | None:
        """As `refusal`, without and with those pods that wait for the node and are as important."""
        others = self._cycle.nominations.before(self._cycle.pod, self.node.name)
        rejection = self.refusal()
        if rejection is not None or not others:
            return rejection
        for other in others:
            self.add(other)
        rejection = self.refusal()
        for other in others:
            self.remove(other)
        return rejection
