"""Taints and tolerations: core/v1's rule of what keeps a pod away from a node."""

from collections.abc import Iterable, Sequence

from kubeling.objects.meta import Object

NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"


def tolerates(toleration: Object, taint: Object) -> bool:
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
    tolerations: Iterable[Object], taints: Sequence[Object], effects: Sequence[str]
) -> Object | None:
    """The first of the taints with one of these effects that no toleration covers."""
    for taint in taints:
        if taint.get("effect") in effects and not any(tolerates(each, taint) for each in tolerations):
            return taint
    return None
