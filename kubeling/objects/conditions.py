"""Status conditions: finding one, and setting one so that lastTransitionTime means what it says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kubeling.objects.meta import Object, timestamp


def find(obj: Mapping[str, Any], kind: str) -> Object | None:
    """The condition of that type in the object's status, if it has one."""
    conditions: list[Object] = (obj.get("status") or {}).get("conditions") or []
    for condition in conditions:
        if condition.get("type") == kind:
            return condition
    return None


def is_true(obj: Mapping[str, Any], kind: str) -> bool:
    condition = find(obj, kind)
    return condition is not None and condition.get("status") == "True"


def set_condition(
    obj: Object, kind: str, status: str, *, reason: str = "", message: str = "", now: datetime
) -> bool:
    """Set the condition in the object's status; lastTransitionTime moves only when `status` changes.

    Returns whether anything changed. An empty reason or message is left out, as upstream's omitempty does.
    """
    conditions: list[Object] = obj.setdefault("status", {}).setdefault("conditions", [])
    condition = next((each for each in conditions if each.get("type") == kind), None)
    if condition is None:
        condition = {"type": kind}
        conditions.append(condition)
    wanted = {"type": kind, "status": status}
    wanted |= {name: text for name, text in (("reason", reason), ("message", message)) if text}
    if all(condition.get(name, "") == wanted.get(name, "") for name in ("status", "reason", "message")):
        return False
    moved = condition.get("status") != status
    since = timestamp(now) if moved else condition.get("lastTransitionTime") or timestamp(now)
    for name in ("reason", "message"):
        condition.pop(name, None)
    condition.update(wanted, lastTransitionTime=since)
    return True
