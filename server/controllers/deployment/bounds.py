"""How many pods a rolling update may have too many, and how many too few."""

from math import ceil, floor

from kubeling.objects.meta import Object


def wanted(deployment: Object) -> int:
    return int((deployment.get("spec") or {}).get("replicas") or 0)


def is_rolling(deployment: Object) -> bool:
    return ((deployment["spec"].get("strategy") or {}).get("type") or "RollingUpdate") == "RollingUpdate"


def max_surge(deployment: Object) -> int:
    return _fence_posts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    replicas = wanted(deployment)
    if not is_rolling(deployment) or replicas == 0:
        return 0
    return min(_fence_posts(deployment)[1], replicas)


def most_pods(deployment: Object) -> int:
    return wanted(deployment) + max_surge(deployment)


def _fence_posts(deployment: Object) -> tuple[int, int]:
    """Surge and unavailable. Percentages are rounded in favour of progress above and of caution below; when
    nothing at all may change, one may be unavailable, or the update would never begin."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = wanted(deployment)
    surge = ceil(_scaled(rolling.get("maxSurge", 0), replicas))
    unavailable = floor(_scaled(rolling.get("maxUnavailable", 0), replicas))
    return surge, 1 if surge == unavailable == 0 else unavailable


def _scaled(bound: int | str, replicas: int) -> float:
    if isinstance(bound, str):
        return int(bound.removesuffix("%")) * replicas / 100
    return bound
