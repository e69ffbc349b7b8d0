"""nodeSelector and nodeAffinity: what a pod requires and what it prefers of its node's labels and name."""

from collections.abc import Mapping

from kubeling.objects.labels import SelectorError, from_expression
from kubeling.objects.meta import Object
from server.scheduler.framework import TOP_SCORE, Candidate, ClusterEvent, Rejection
from server.scheduler.node_state import NodeState


class NodeAffinity:
    events = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS})
    weight = 2

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        if _selected(candidate.spec, node) and _required(candidate.spec, node):
            return None
        return Rejection(("node(s) didn't match Pod's node affinity/selector",))

    def score(self, candidate: Candidate, nodes: list[NodeState]) -> Mapping[str, float]:
        preferred = _affinity(candidate.spec).get("preferredDuringSchedulingIgnoredDuringExecution") or []
        if not preferred:
            return {}
        sums = {
            node.name: sum(
                term["weight"] for term in preferred if _prefers(term.get("preference") or {}, node)
            )
            for node in nodes
        }
        most = max(sums.values(), default=0) or 1
        return {name: TOP_SCORE * total / most for name, total in sums.items()}


def _selected(spec: Object, node: NodeState) -> bool:
    labels = node.labels
    return all(labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items())


def _required(spec: Object, node: NodeState) -> bool:
    required = _affinity(spec).get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_matches(term, node) for term in required.get("nodeSelectorTerms") or [])


def _affinity(spec: Object) -> Object:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def _prefers(term: Object, node: NodeState) -> bool:
    """An empty preference prefers every node, an empty requirement selects none."""
    empty = not term.get("matchExpressions") and not term.get("matchFields")
    return empty or _matches(term, node)


def _matches(term: Object, node: NodeState) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    try:
        return all(from_expression(each).matches(node.labels) for each in expressions) and all(
            from_expression(each).matches({"metadata.name": node.name}) for each in fields
        )
    except SelectorError:
        return False
