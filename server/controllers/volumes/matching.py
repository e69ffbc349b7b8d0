"""Which volume a claim gets: one that is reserved for it, else the smallest that suffices. Pure functions."""

from collections.abc import Iterable
from decimal import Decimal

from kubeling.objects import labels, meta
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import (
    access_modes,
    attributes_class,
    capacity,
    class_of,
    is_for,
    modes_differ,
    requested,
    suffices,
)


def best_match(claim: Object, volumes: Iterable[Object], *, delayed: bool) -> Object | None:
    """`delayed`: the claim waits for a pod, so that only what is reserved for it comes into question."""
    fitting: list[Object] = []
    selector = claim["spec"].get("selector")
    selects = labels.from_label_selector(selector).predicate() if selector is not None else None
    for volume in volumes:
        if not suffices(volume, claim):
            continue
        if volume["spec"].get("claimRef"):
            if is_for(volume, claim):
                return volume
        elif not delayed and _is_free(volume, claim) and (selects is None or selects(meta.labels(volume))):
            fitting.append(volume)
    return min(fitting, key=_order, default=None)


def mismatch(volume: Object, claim: Object) -> str:
    """Why a claim that asks for this volume cannot have it; "" if it can."""
    if meta.is_terminating(volume):
        return f'the volume is marked for deletion "{meta.name(volume)}"'
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if attributes_class(volume) != attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if modes_differ(volume, claim):
        return "incompatible volumeMode"
    if not access_modes(volume) >= access_modes(claim):
        return "incompatible accessMode"
    return ""


def _is_free(volume: Object, claim: Object) -> bool:
    available = (volume.get("status") or {}).get("phase") == "Available"
    return available and class_of(volume) == class_of(claim)


def _order(volume: Object) -> tuple[int, Decimal, str]:
    """One that can do no more than is asked for is the better one, then the smaller one."""
    return len(access_modes(volume)), capacity(volume), meta.name(volume)
