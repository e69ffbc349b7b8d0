"""Which taints a node's conditions ask for, and what becomes of the taints that it has. Pure functions."""

from datetime import datetime
from typing import NamedTuple

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}


class _Taint(NamedTuple):
    key: str
    effect: str


_EVICTING = frozenset(_Taint(key, "NoExecute") for key in (NOT_READY, UNREACHABLE))
_OURS = _EVICTING | {
    _Taint(key, "NoSchedule") for key in (NOT_READY, UNREACHABLE, UNSCHEDULABLE, *PRESSURES.values())
}
_NEW = frozenset({_Taint(NOT_READY, "NoSchedule")})


def tainted(node: Object, now: datetime, *, evicting: bool) -> list[Object] | None:
    """The node's taints as they should be; None when they are so already. Others' taints stay.

    `evicting`: whether pods are to leave the node as long as it is not ready.
    """
    present: list[Object] = (node.get("spec") or {}).get("taints") or []
    wanted = _wanted(node, evicting=evicting)
    kept = [taint for taint in present if _identity(taint) not in _OURS or _identity(taint) in wanted]
    missing = sorted(wanted - {_identity(taint) for taint in present})
    if len(kept) == len(present) and not missing:
        return None
    return kept + [_made(taint, now) for taint in missing]


def is_evicting(node: Object) -> bool:
    """Whether the node has one of the taints that make pods leave a node that is not ready."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return any(_identity(taint) in _EVICTING for taint in taints)


def _wanted(node: Object, *, evicting: bool) -> set[_Taint]:
    wanted: set[_Taint] = set()
    ready = conditions.find(node, "Ready")
    if ready is None:  # the taint that every new node has stays until the node first says how it is
        wanted |= _NEW & {_identity(taint) for taint in (node.get("spec") or {}).get("taints") or []}
    key = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(str(ready["status"])) if ready else None
    if key:
        wanted.add(_Taint(key, "NoSchedule"))
    if key and evicting:
        wanted.add(_Taint(key, "NoExecute"))
    wanted |= {_Taint(key, "NoSchedule") for kind, key in PRESSURES.items() if conditions.is_true(node, kind)}
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.add(_Taint(UNSCHEDULABLE, "NoSchedule"))
    return wanted


def _identity(taint: Object) -> _Taint:
    return _Taint(str(taint.get("key", "")), str(taint.get("effect", "")))


def _made(taint: _Taint, now: datetime) -> Object:
    return {"key": taint.key, "effect": taint.effect, "timeAdded": meta.timestamp(now)}
