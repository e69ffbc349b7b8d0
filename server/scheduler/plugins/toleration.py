"""Whether tolerations cover a taint: core/v1's rule, for the plug-ins that ask."""

from collections.abc import Iterable

from kubeling.objects.meta import Object


def tolerates(tolerations: Iterable[Object] | None, taint: Object) -> bool:
    return any(_covers(toleration, taint) for toleration in tolerations or ())


def _covers(toleration: Object, taint: Object) -> bool:
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


def is_kept_away(tolerations: Iterable[Object] | None, taints: Iterable[Object]) -> bool:
    """Whether there is a taint against scheduling or running that is not tolerated."""
    return any(
        taint.get("effect") in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint)
        for taint in taints
    )
