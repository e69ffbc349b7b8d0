"""Which volume a claim gets: one that is reserved for it, else the smallest that suffices. Pure functions."""

from collections.abc import Iterable
from decimal import Decimal

from kubeling.objects import labels, meta, quantity
from kubeling.objects.meta import Object
from server.controllers.volumes.classes import class_of


def best_match(claim: Object, volumes: Iterable[Object], *, delayed: bool) -> Object | None:
    """`delayed`: the claim waits for a pod, so that only what is reserved for it comes into question."""
    fitting: list[Object] = []
    selector = claim["spec"].get("selector")
    selects = labels.from_label_selector(selector).predicate() if selector is not None else None
    for volume in volumes:
        if not _suffices(volume, claim):
            continue
        if volume["spec"].get("claimRef"):
            if is_for(volume, claim):
                return volume
        elif not delayed and _is_free(volume, claim) and (selects is None or selects(meta.labels(volume))):
            fitting.append(volume)
    return min(fitting, key=_order, default=None)


def is_for(volume: Object, claim: Object) -> bool:
    """Whether the volume is bound to, or reserved for, this claim."""
    reference = volume["spec"].get("claimRef") or {}
    same = (reference.get("namespace"), reference.get("name")) == (meta.namespace(claim), meta.name(claim))
    return same and reference.get("uid") in (None, "", meta.uid(claim))


def mismatch(volume: Object, claim: Object) -> str:
    """Why a claim that asks for this volume cannot have it; "" if it can."""
    if meta.is_terminating(volume):
        return f'the volume is marked for deletion "{meta.name(volume)}"'
    if capacity(volume) < _request(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if _attributes_class(volume) != _attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if modes_differ(volume, claim):
        return "incompatible volumeMode"
    if not _modes(volume) >= _modes(claim):
        return "incompatible accessMode"
    return ""


def modes_differ(volume: Object, claim: Object) -> bool:
    kinds = (each["spec"].get("volumeMode") or "Filesystem" for each in (volume, claim))
    return len(set(kinds)) > 1


def capacity(volume: Object) -> Decimal:
    return quantity.parse((volume["spec"].get("capacity") or {}).get("storage", "0"))


def _suffices(volume: Object, claim: Object) -> bool:
    return (
        _modes(volume) >= _modes(claim)
        and capacity(volume) >= _request(claim)
        and not modes_differ(volume, claim)
        and _attributes_class(volume) == _attributes_class(claim)
        and not meta.is_terminating(volume)
    )


def _is_free(volume: Object, claim: Object) -> bool:
    available = (volume.get("status") or {}).get("phase") == "Available"
    return available and class_of(volume) == class_of(claim)


def _order(volume: Object) -> tuple[int, Decimal, str]:
    """One that can do no more than is asked for is the better one, then the smaller one."""
    return len(_modes(volume)), capacity(volume), meta.name(volume)


def _request(claim: Object) -> Decimal:
    return quantity.parse(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0"))


def _modes(obj: Object) -> frozenset[str]:
    return frozenset(obj["spec"].get("accessModes") or ())


def _attributes_class(obj: Object) -> str:
    return str(obj["spec"].get("volumeAttributesClassName") or "")
