"""Which nodes a nodeSelector and the terms of a nodeAffinity, or of a volume, select.

What is compiled here is made once and asked of many nodes.
"""

from collections.abc import Callable, Iterator, Mapping

from kubeling.objects.labels import Predicate, SelectorError, from_expression
from kubeling.objects.meta import Object

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

Matches = Callable[[Mapping[str, str], str], bool]
"""Whether a node with these labels and this name is selected."""


def required(spec: Object) -> Matches | None:
    """What a pod's spec requires of its node; None when it requires nothing."""
    selector = (spec.get("nodeSelector") or {}).items()
    terms = _affinity(spec).get(REQUIRED)
    if not selector and terms is None:
        return None
    one_of = any_of(terms) if terms is not None else None

    def matches(labels: Mapping[str, str], name: str) -> bool:
        return selector <= labels.items() and (one_of is None or one_of(labels, name))

    return matches


def any_of(selector: Object) -> Matches:
    """A NodeSelector: one of its terms must match, and an empty term matches nothing."""
    terms = [_term(each) for each in selector.get("nodeSelectorTerms") or () if not _is_empty(each)]
    return lambda labels, name: any(term(labels, name) for term in terms)


def preferences(spec: Object) -> Iterator[tuple[int, Matches]]:
    """What is preferred and how much; an empty preference is none."""
    for each in _affinity(spec).get(PREFERRED) or ():
        if each.get("weight") and not _is_empty(each.get("preference") or {}):
            yield int(each["weight"]), _term(each["preference"])


def term_names(spec: Object) -> frozenset[str] | None:
    """The names of which the node must have one; None when any will do."""
    terms = _affinity(spec).get(REQUIRED)
    if terms is None or not terms.get("nodeSelectorTerms"):
        return None
    names: set[str] = set()
    for term in terms["nodeSelectorTerms"]:
        wanted = [
            frozenset(each.get("values") or ())
            for each in term.get("matchFields") or ()
            if each.get("key") == "metadata.name" and each.get("operator") == "In"
        ]
        if not wanted:
            return None
        names |= frozenset.intersection(*wanted)
    return frozenset(names)


def _affinity(spec: Object) -> Object:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def _is_empty(term: Object) -> bool:
    return not term.get("matchExpressions") and not term.get("matchFields")


def _term(term: Object) -> Matches:
    try:
        expressions = _tests(term.get("matchExpressions"))
        fields = _tests(term.get("matchFields"))
    except SelectorError:
        return lambda labels, name: False
    return lambda labels, name: (
        all(test(labels) for test in expressions) and all(test({"metadata.name": name}) for test in fields)
    )


def _tests(expressions: list[Object] | None) -> list[Predicate]:
    """Raises SelectorError."""
    return [from_expression(each).predicate() for each in expressions or ()]
