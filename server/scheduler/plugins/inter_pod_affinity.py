"""Pods that want to be near others or away from them, and pods that others want to be away from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from server.scheduler.cluster_state import ClusterState
from server.scheduler.domains import Counts, Domains, add
from server.scheduler.framework import (
    TOP_SCORE,
    Action,
    ClusterEvent,
    CountingFilter,
    Filtering,
    Plugin,
    Rejection,
    Resources,
    Wake,
)
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_info import PodInfo
from server.scheduler.pod_terms import NamespaceLabels, Term

NAME = "InterPodAffinity"
_NOT_NEAR = Rejection(NAME, ("node(s) didn't match pod affinity rules",))
_NOT_AWAY = Rejection(NAME, ("node(s) didn't match pod anti-affinity rules",), resolvable=True)
_UNWELCOME = Rejection(NAME, ("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True)


class InterPodAffinity(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter", "preScore", "score"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._hard_weight = int(args.get("hardPodAffinityWeight", 1))
        self._ignores_others = bool(args.get("ignorePreferredTermsOfExistingPods"))
        self._namespaces: NamespaceLabels = {}

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        self._namespaces = cluster.namespaces
        own, others = pod.affinity, cluster.required_anti_affinity
        if not others and not own.required and not own.required_anti:
            return None
        refusing = [
            (term, counts) for term, counts in others.items() if term.matches(pod, cluster.namespaces)
        ]
        if not refusing and not own.required and not own.required_anti:
            return None
        return _Filter(pod, cluster, refusing)

    def compare(self, pod: PodInfo, cluster: ClusterState, nodes: Sequence[NodeState]) -> list[int] | None:
        weighed = [
            *(
                (term.topology_key, term.weight, _around(term, cluster).pods)
                for term in pod.affinity.preferred
            ),
            *self._attractions(pod, cluster),
        ]
        if not weighed:
            return None
        totals = [0] * len(nodes)
        for key, weight, counts in weighed:
            if counts:
                values = cluster.values(key, nodes)
                get = counts.get
                totals = [
                    total + weight * get(value, 0)  # type: ignore[arg-type]
                    for total, value in zip(totals, values, strict=True)
                ]
        return _spanned(totals)

    def _attractions(self, pod: PodInfo, cluster: ClusterState) -> Iterable[tuple[str, int, Counts]]:
        """What the terms of the pods that run already say of this one."""
        if self._ignores_others and not pod.affinity.preferred:
            return
        for term, counts in cluster.preferred_affinity.items():
            if term.matches(pod, cluster.namespaces):
                yield term.topology_key, term.weight, counts
        if self._hard_weight:
            for term, counts in cluster.required_affinity.items():
                if term.matches(pod, cluster.namespaces):
                    yield term.topology_key, self._hard_weight, counts

    def wakes(self) -> Sequence[Wake]:
        return (
            Wake(Resources.ASSIGNED_POD, Action.ADD | Action.DELETE | Action.LABELS, self._pod_helps),
            Wake(Resources.NODE, Action.ADD | Action.LABELS, _node_helps),
            Wake(Resources.NAMESPACE, Action.UPDATE, _selects_namespaces),
        )

    def _pod_helps(self, pod: PodInfo, event: ClusterEvent) -> bool:
        """A pod that the affinity means has come, or one of an anti-affinity, of either, has gone."""
        other, affinity = PodInfo(event.object), pod.affinity
        if event.action & (Action.ADD | Action.LABELS) and affinity.required:
            matched = all(term.matches(other, self._namespaces) for term in affinity.required)
            if matched:
                return True
        if event.action & (Action.DELETE | Action.LABELS):
            was = PodInfo(event.old) if event.old else other
            return any(term.matches(was, self._namespaces) for term in affinity.required_anti) or any(
                term.matches(pod, self._namespaces) for term in was.affinity.required_anti
            )
        return False


class _Filter(CountingFilter):
    """The terms that matter to the pod, each with the number of pods by domain."""

    def __init__(self, pod: PodInfo, cluster: ClusterState, refusing: Sequence[tuple[Term, Counts]]) -> None:
        self._pod = pod
        self._namespaces = cluster.namespaces
        self._near: list[tuple[Term, Counts]] = [
            (term, _near_all(term, pod.affinity.required, cluster).pods) for term in pod.affinity.required
        ]
        self._away = [(term, _around(term, cluster).pods) for term in pod.affinity.required_anti]
        self._refusing = list(refusing)
        self._near_itself = all(term.matches(pod, cluster.namespaces) for term in pod.affinity.required)

    def __call__(self, node: NodeState) -> Rejection | None:
        if self._near and not self._is_near(node.labels):
            return _NOT_NEAR
        if self._away and _is_among(self._away, node.labels):
            return _NOT_AWAY
        return _UNWELCOME if self._refusing and _is_among(self._refusing, node.labels) else None

    def _is_near(self, labels: Mapping[str, str]) -> bool:
        """Near a pod that meets all terms; the first of pods that want each other may go anywhere."""
        if any(term.topology_key not in labels for term, _ in self._near):
            return False
        if all(counts.get(labels[term.topology_key]) for term, counts in self._near):
            return True
        return self._near_itself and not any(counts for _, counts in self._near)

    def added(self, pod: SomePod, node: NodeState) -> None:
        self._suppose(pod, node, 1)

    def removed(self, pod: SomePod, node: NodeState) -> None:
        self._suppose(pod, node, -1)

    def _suppose(self, pod: SomePod, node: NodeState, sign: int) -> None:
        if self._near and all(term.matches(pod, self._namespaces) for term, _ in self._near):
            for term, counts in self._near:
                _count(term, counts, node, sign)
        for term, counts in self._away:
            if term.matches(pod, self._namespaces):
                _count(term, counts, node, sign)
        for term in pod.affinity.required_anti:
            if term.matches(self._pod, self._namespaces):
                _count(term, self._counts_of(term), node, sign)

    def _counts_of(self, term: Term) -> Counts:
        """Of a term that refuses the pod, which it may have begun to do only by a supposition."""
        for known, counts in self._refusing:
            if known == term:
                return counts
        fresh: Counts = {}
        self._refusing.append((term, fresh))
        return fresh

    def copy(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._near = [(term, dict(counts)) for term, counts in self._near]
        twin._away = [(term, dict(counts)) for term, counts in self._away]
        twin._refusing = [(term, dict(counts)) for term, counts in self._refusing]
        return twin


def _count(term: Term, counts: Counts, node: NodeState, sign: int) -> None:
    value = node.labels.get(term.topology_key)
    if value is not None:
        add(counts, value, sign)


def _is_among(terms: Sequence[tuple[Term, Counts]], labels: Mapping[str, str]) -> bool:
    for term, counts in terms:
        value = labels.get(term.topology_key)
        if value is not None and counts.get(value, 0) > 0:
            return True
    return False


def _around(term: Term, cluster: ClusterState) -> Domains:
    """The pods that a term means."""

    def make() -> Domains:
        return Domains(
            term.topology_key, lambda pod: term.matches(pod, cluster.namespaces), lambda node: True
        )

    return cluster.domains.get((NAME, term.identity), make)


def _near_all(term: Term, terms: tuple[Term, ...], cluster: ClusterState) -> Domains:
    """The pods that all the terms mean, by the domains of one of them."""

    def make() -> Domains:
        return Domains(
            term.topology_key,
            lambda pod: all(each.matches(pod, cluster.namespaces) for each in terms),
            lambda node: True,
        )

    return cluster.domains.get((NAME, term.topology_key, tuple(each.identity for each in terms)), make)


def _spanned(scores: list[int]) -> list[int]:
    """From the least, which becomes 0, to the greatest."""
    least, most = min(scores), max(scores)
    if least == most:
        return [0] * len(scores)
    return [int(TOP_SCORE * (score - least) / (most - least)) for score in scores]


def _selects_namespaces(pod: PodInfo, event: ClusterEvent) -> bool:
    terms = (*pod.affinity.required, *pod.affinity.required_anti)
    return any(not term.namespace_selector.nothing for term in terms)


def _node_helps(pod: PodInfo, event: ClusterEvent) -> bool:
    """A node that has come has a domain of the affinity's, or is away from what pods want to be away from."""
    labels = event.object["metadata"].get("labels") or {}
    affinity = pod.affinity
    if affinity.required and not all(term.topology_key in labels for term in affinity.required):
        return False
    if event.old is None:
        return True
    before = event.old["metadata"].get("labels") or {}
    terms = (*affinity.required, *affinity.required_anti)
    return not terms or any(before.get(term.topology_key) != labels.get(term.topology_key) for term in terms)
