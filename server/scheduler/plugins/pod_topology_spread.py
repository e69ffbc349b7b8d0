"""Keeps pods that belong together spread over domains: strictly, or as well as can be."""

from collections.abc import Mapping, Sequence
from math import log
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
from server.scheduler.plugins.spread_constraint import HOSTNAME, ZONE, Constraint, constraints, defaults
from server.scheduler.pod_info import PodInfo

NAME = "PodTopologySpread"
HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"
SYSTEM_DEFAULTS = (
    {"topologyKey": HOSTNAME, "maxSkew": 3, "whenUnsatisfiable": SOFT},
    {"topologyKey": ZONE, "maxSkew": 5, "whenUnsatisfiable": SOFT},
)
_REASON = "node(s) didn't match pod topology spread constraints"
_SKEWED = Rejection(NAME, (_REASON,), resolvable=True)
_UNLABELLED = Rejection(NAME, (f"{_REASON} (missing required label)",))


class PodTopologySpread(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter", "preScore", "score"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._selectors = handles.selectors
        self._system = (args.get("defaultingType") or "System") == "System"
        self._defaults = SYSTEM_DEFAULTS if self._system else tuple(args.get("defaultConstraints") or ())

    def _constraints(self, pod: PodInfo, when: str) -> list[Constraint]:
        own = pod.spec.get("topologySpreadConstraints")
        if own:
            return constraints(own, when, pod.namespace)
        if not any(each["whenUnsatisfiable"] == when for each in self._defaults):
            return []
        selector = self._selectors.selector(pod)
        return [] if selector.empty else defaults(self._defaults, selector, when, pod.namespace)

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        hard = self._constraints(pod, HARD)
        if not hard:
            return None
        keys = frozenset(each.key for each in hard)
        return _Filter([_Spread(each, each.domains(pod, cluster, keys), pod) for each in hard])

    def compare(self, pod: PodInfo, cluster: ClusterState, nodes: Sequence[NodeState]) -> list[int] | None:
        """Nodes without zones are spread over by host, unless the pod itself asks for zones."""
        soft = self._constraints(pod, SOFT)
        if not soft:
            return None
        strict = bool(pod.spec.get("topologySpreadConstraints")) or not self._system
        keys = frozenset(each.key for each in soft) if strict else frozenset()
        counted = [keys <= node.labels.keys() for node in nodes] if keys else [True] * len(nodes)
        totals = [0.0] * len(nodes)
        for each in soft:
            totals = _with_points(
                totals, cluster.values(each.key, nodes), each, each.domains(pod, cluster, keys).pods, counted
            )
        return _normalized([int(total + 0.5) for total in totals], counted)

    def wakes(self) -> Sequence[Wake]:
        pods = Action.ADD | Action.DELETE | Action.LABELS
        nodes = Action.ADD | Action.DELETE | Action.LABELS | Action.TAINTS
        return (
            Wake(Resources.ASSIGNED_POD, pods, self._pod_counts),
            Wake(Resources.NODE, nodes, self._node_counts),
        )

    def _pod_counts(self, pod: PodInfo, event: ClusterEvent) -> bool:
        others = [PodInfo(each) for each in (event.old, event.new) if each is not None]
        return any(
            each.namespace == other.namespace and each.selects(other.labels)
            for each in self._constraints(pod, HARD)
            for other in others
        )

    def _node_counts(self, pod: PodInfo, event: ClusterEvent) -> bool:
        keys = {each.key for each in self._constraints(pod, HARD)}
        return any(
            keys <= (each["metadata"].get("labels") or {}).keys()
            for each in (event.old, event.new)
            if each is not None
        )


class _Spread:
    """One hard constraint: how many pods there are in each domain, and how many there may be."""

    def __init__(self, constraint: Constraint, domains: Domains, pod: PodInfo) -> None:
        self.constraint = constraint
        self._domains = domains
        self._counts = domains.pods
        self._own = int(constraint.selects(pod.labels))
        self._most = self._limit()

    def _limit(self) -> int:
        """With fewer domains than wanted, the least is none at all."""
        existing, counts = self._domains.nodes, self._counts
        few = len(existing) < self.constraint.min_domains
        least = 0 if few or len(counts) < len(existing) or not existing else min(counts.values())
        return least + self.constraint.max_skew - self._own

    def allows(self, value: str) -> bool:
        return self._counts.get(value, 0) <= self._most

    def suppose(self, pod: SomePod, node: NodeState, sign: int) -> None:
        value = self._domains.domain(node)
        if value is not None and self.constraint.counts(pod):
            add(self._counts, value, sign)
            self._most = self._limit()

    def copy(self) -> "_Spread":
        twin = object.__new__(_Spread)
        twin.__dict__.update(self.__dict__)
        twin._counts = Counts(self._counts)
        return twin


class _Filter(CountingFilter):
    def __init__(self, spreads: list[_Spread]) -> None:
        self._spreads = spreads

    def __call__(self, node: NodeState) -> Rejection | None:
        labels = node.labels
        for each in self._spreads:
            value = labels.get(each.constraint.key)
            if value is None:
                return _UNLABELLED
            if not each.allows(value):
                return _SKEWED
        return None

    def added(self, pod: SomePod, node: NodeState) -> None:
        for each in self._spreads:
            each.suppose(pod, node, 1)

    def removed(self, pod: SomePod, node: NodeState) -> None:
        for each in self._spreads:
            each.suppose(pod, node, -1)

    def copy(self) -> Self:
        return type(self)([each.copy() for each in self._spreads])


def _with_points(
    totals: list[float],
    values: Sequence[str | None],
    constraint: Constraint,
    counts: Counts,
    counted: list[bool],
) -> list[float]:
    """The fewer the domains, the less a pod in one of them says; a node without the label gets nothing."""
    every = all(counted)
    domains = values if every else [value for value, counts in zip(values, counted, strict=True) if counts]
    weight = log((len(domains) if constraint.key == HOSTNAME else len(set(domains))) + 2)
    get, least = counts.get, constraint.max_skew - 1
    if None in values:
        return [
            total if value is None else total + get(value, 0) * weight + least
            for total, value in zip(totals, values, strict=True)
        ]
    return [total + get(value, 0) * weight + least for total, value in zip(totals, values, strict=True)]  # type: ignore[arg-type]


def _normalized(scores: list[int], counted: list[bool]) -> list[int]:
    """Nodes that do not count score nothing."""
    every = all(counted)
    among = scores if every else [score for score, counts in zip(scores, counted, strict=True) if counts]
    most = max(among, default=0)
    if not most:
        return [TOP_SCORE * counts for counts in counted]
    top = TOP_SCORE * (most + min(among))
    points = [(top - TOP_SCORE * score) // most for score in scores]
    return points if every else [point * counts for point, counts in zip(points, counted, strict=True)]
