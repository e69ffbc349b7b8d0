"""The terms of pod affinity and anti-affinity: which pods they mean, and how near.

matchLabelKeys and mismatchLabelKeys are conditions of the selector by now: the server makes them so at
creation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from kubeling.objects.labels import NOTHING, Predicate, Selector, SelectorError, from_label_selector
from kubeling.objects.meta import Object
from kubeling.objects.node_selection import PREFERRED, REQUIRED

NamespaceLabels = Mapping[str, Mapping[str, str]]


class Labelled(Protocol):
    @property
    def namespace(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Term:
    """Compares by its identity: terms that say the same are one."""

    identity: bytes
    topology_key: str = field(compare=False)
    namespaces: frozenset[str] = field(compare=False)
    namespace_selector: Selector = field(compare=False)
    selects: Predicate = field(compare=False)
    weight: int = field(default=0, compare=False)
    """Of a preferred term; below zero for anti-affinity."""

    def matches(self, pod: Labelled, namespaces: NamespaceLabels) -> bool:
        return self.selects(pod.labels) and self._is_about(pod.namespace, namespaces)

    def _is_about(self, namespace: str, namespaces: NamespaceLabels) -> bool:
        if namespace in self.namespaces:
            return True
        selector = self.namespace_selector
        return selector is not NOTHING and selector.matches(namespaces.get(namespace, {}))


@dataclass(frozen=True, slots=True)
class Affinity:
    required: tuple[Term, ...] = ()
    required_anti: tuple[Term, ...] = ()
    preferred: tuple[Term, ...] = ()
    """Of affinity and anti-affinity together."""


_NONE = Affinity()


def affinity_of(spec: Object, namespace: str) -> Affinity:
    affinity = spec.get("affinity") or {}
    towards, away = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    if not towards and not away:
        return _NONE
    return Affinity(
        required=tuple(_term(each, namespace) for each in towards.get(REQUIRED) or ()),
        required_anti=tuple(_term(each, namespace) for each in away.get(REQUIRED) or ()),
        preferred=(*_weighted(towards, namespace, 1), *_weighted(away, namespace, -1)),
    )


def _weighted(terms: Object, namespace: str, sign: int) -> Iterator[Term]:
    for each in terms.get(PREFERRED) or ():
        yield _term(each.get("podAffinityTerm") or {}, namespace, sign * int(each.get("weight") or 0))


def _term(term: Object, namespace: str, weight: int = 0) -> Term:
    """A term that names no namespaces is about those of the pod's own."""
    named, by_labels = term.get("namespaces") or [], term.get("namespaceSelector")
    if not named and by_labels is None:
        named = [namespace]
    key, selector = term.get("topologyKey") or "", term.get("labelSelector")
    return Term(
        orjson.dumps([key, sorted(named), by_labels, selector, weight], option=orjson.OPT_SORT_KEYS),
        key,
        frozenset(named),
        selector_of(by_labels),
        selector_of(selector).predicate(),
        weight,
    )


def selector_of(selector: Object | None) -> Selector:
    """What cannot be read selects nothing."""
    try:
        return from_label_selector(selector) if selector is not None else NOTHING
    except SelectorError:
        return NOTHING
