"""matchLabelKeys and mismatchLabelKeys: at creation they become conditions on the pod's own labels."""

from collections.abc import Iterator, Mapping

from kubeling.objects.meta import Object, labels

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def merge_label_keys(obj: Object) -> None:
    spec = obj["spec"]
    if "affinity" not in spec and "topologySpreadConstraints" not in spec:
        return
    own = labels(obj)
    for term in _terms(spec.get("affinity") or {}):
        _merge(term, "matchLabelKeys", "In", own)
        _merge(term, "mismatchLabelKeys", "NotIn", own)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _merge(constraint, "matchLabelKeys", "In", own)


def _terms(affinity: Object) -> Iterator[Object]:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        yield from terms.get(_REQUIRED) or ()
        for each in terms.get(_PREFERRED) or ():
            yield each.get("podAffinityTerm") or {}


def _merge(holder: Object, name: str, operator: str, own: Mapping[str, str]) -> None:
    keys, selector = holder.get(name) or [], holder.get("labelSelector")
    if selector is None:
        return
    added = [{"key": key, "operator": operator, "values": [own[key]]} for key in keys if key in own]
    if added:
        selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]
