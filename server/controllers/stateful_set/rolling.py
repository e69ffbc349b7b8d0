"""Which pods of a StatefulSet go next so that they come back by the new template. Pure.

With maxUnavailable, as from v1.37 on: no more pods than that are away at once, the highest ordinals go first.
Pods that come in parallel and are unavailable by an old template go in any case: they may never recover.
"""

from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.stateful_set.replicas import (
    in_order,
    is_available,
    is_unavailable,
    partition,
    revision_of,
)


def doomed(set_: Object, wanted: list[Object], *, update: str, now: datetime) -> list[Object]:
    """`update` is the name of the revision that all from the partition up are to have."""
    away = sum(is_unavailable(set_, pod, now) for pod in wanted)
    spare = max_unavailable(set_, len(wanted)) - away
    old = [pod for pod in reversed(wanted[partition(set_) :]) if _is_old(pod, update)]
    if in_order(set_):
        return old[: max(spare, 0)]
    broken = [pod for pod in old if not is_available(set_, pod, now)]
    sound = [pod for pod in old if is_available(set_, pod, now)]
    return broken + sound[: max(spare, 0)]


def max_unavailable(set_: Object, replicas: int) -> int:
    """A share is rounded down, and one pod may always be away."""
    rolling = (set_["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    bound = rolling.get("maxUnavailable", 1)
    number = int(bound[:-1]) * replicas // 100 if isinstance(bound, str) else int(bound)
    return max(number, 1)


def _is_old(pod: Object, update: str) -> bool:
    return revision_of(pod) != update and not meta.is_terminating(pod)
