"""What the scale subresource of a custom kind asks of its objects: counts are numbers, selectors are text.

How a Scale is made of them is the business of `server.registry.scale`.
"""

from collections.abc import Callable
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.custom.columns import go_text

Check = Callable[[Object], list[Cause]]

_MOST = 2**31 - 1
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
_GO_MAP = "map[string]interface {}"


class _Misplaced(Exception):
    pass


def scale_check(scale: Object | None) -> Check | None:
    """The check of a version's objects, from `subresources.scale`; None when it has no such subresource."""
    if scale is None:
        return None
    counts = [scale.get("specReplicasPath") or "", scale.get("statusReplicasPath") or ""]
    selector = scale.get("labelSelectorPath") or ""

    def check(obj: Object) -> list[Cause]:
        causes = [cause for path in counts if (cause := _count_cause(obj, path))]
        if selector and (cause := _text_cause(obj, selector)):
            causes.append(cause)
        return causes

    return check


def _count_cause(obj: Object, path: str) -> Cause | None:
    try:
        found = _at(obj, path, int, "int64")
    except _Misplaced as error:
        return invalid(path, 0, str(error))
    if found is None or 0 <= found <= _MOST:
        return None
    why = "should be a non-negative integer" if found < 0 else f"should be less than or equal to {_MOST}"
    return invalid(path, found, why)


def _text_cause(obj: Object, path: str) -> Cause | None:
    try:
        _at(obj, path, str, "string")
    except _Misplaced as error:
        return invalid(path, "", str(error))
    return None


def _at(obj: Object, path: str, wanted: type, go_type: str) -> Any:
    """The value at a path, or None when there is none."""
    found: Any = obj
    parts = path.removeprefix(".").split(".")
    for number, part in enumerate(parts):
        if type(found) is not dict:
            if found is None:
                return None
            raise _misplaced(parts[: number + 1], found, "map[string]interface{}")
        if part not in found:
            return None
        found = found[part]
    if type(found) is not wanted:
        raise _misplaced(parts, found, go_type)
    return found


def _misplaced(parts: list[str], found: Any, wanted: str) -> _Misplaced:
    go_type = "<nil>" if found is None else _GO_TYPES.get(type(found), _GO_MAP)
    shown = "<nil>" if found is None else go_text(found)
    return _Misplaced(
        f".{'.'.join(parts)} accessor error: {shown} is of the type {go_type}, expected {wanted}"
    )
