"""Which nodes a pod asks for: nodeSelector and the required part of its node affinity."""

from collections.abc import Callable, Mapping

from kubeling.objects.labels import SelectorError, from_expression
from kubeling.objects.meta import Object

Selects = Callable[[Mapping[str, str], str], bool]
"""Says whether a node with these labels and this name is asked for."""


def node_selection(spec: Object) -> Selects:
    """Of a pod's spec. A term that is empty or cannot be read selects nothing; the terms are alternatives."""
    wanted = dict(spec.get("nodeSelector") or {})
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = [_term(term) for term in (required or {}).get("nodeSelectorTerms") or []]

    def selects(labels: Mapping[str, str], name: str) -> bool:
        if any(labels.get(key) != value for key, value in wanted.items()):
            return False
        return required is None or any(term(labels, name) for term in terms)

    return selects


def _term(term: Object) -> Selects:
    try:
        of_labels = [from_expression(each).predicate() for each in term.get("matchExpressions") or []]
        of_fields = [from_expression(each).predicate() for each in term.get("matchFields") or []]
    except SelectorError:
        of_labels, of_fields = [], []
    if not of_labels and not of_fields:
        return lambda labels, name: False

    def matches(labels: Mapping[str, str], name: str) -> bool:
        fields = {"metadata.name": name}
        return all(test(labels) for test in of_labels) and all(test(fields) for test in of_fields)

    return matches
