"""Taints and tolerations: core/v1's rule of what keeps a pod away from a node."""

from collections.abc import Iterable, Sequence

from kubeling.objects.meta import Object

NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"


HARD = (NO_SCHEDULE, NO_EXECUTE)
"""The effects that keep a pod away from a node."""


def tolerates(tolerations: Iterable[Object] | None, taint: Object) -> bool:
    return any(covers(toleration, taint) for toleration in tolerations or ())


def covers(toleration: Object, taint: Object) -> bool:
    """An empty effect or key covers every one; the latter needs the operator Exists."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            same_value = (toleration.get("value") or "") == (taint.get("value") or "")
            return bool(toleration.get("key")) and same_value
        case _:
            return False


def untolerated(
    tolerations: Sequence[Object] | None, taints: Iterable[Object], effects: Sequence[str] = HARD
) -> Object | None:
    """The first of the taints with one of these effects that no toleration covers."""
    for taint in taints:
        if taint.get("effect") in effects and not tolerates(tolerations, taint):
            return taint
    return None
