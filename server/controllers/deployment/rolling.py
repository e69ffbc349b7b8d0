"""A rolling update, a step of it: the new ReplicaSet grows as far as it may, then the old ones shrink."""

from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import max_unavailable, wanted
from server.controllers.deployment.replica_sets import active, by_age, size, told, total, total_size
from server.controllers.deployment.revision import size_of_new
from server.controllers.deployment.rollout import Rollout


async def roll(rollout: Rollout, new: Object) -> bool:
    """Whether anything was scaled."""
    return await _scale_new(rollout, new) or await _scale_down_old(rollout, new)


async def _scale_new(rollout: Rollout, new: Object) -> bool:
    goal, now = wanted(rollout.deployment), size(new)
    if now == goal:
        return False
    return await rollout.scale(new, goal if now > goal else size_of_new(rollout, now))


async def _scale_down_old(rollout: Rollout, new: Object) -> bool:
    """By as many as the new one makes up for: its own pods that are not available do not count."""
    if total_size(rollout.old) == 0:
        return False
    least = wanted(rollout.deployment) - max_unavailable(rollout.deployment)
    lacking = size(new) - told(new, "availableReplicas")
    most = total_size(rollout.replica_sets) - least - lacking
    if most <= 0:
        return False
    cleaned = await _remove_unhealthy(rollout, most)
    return await _remove_available(rollout, least) or cleaned


async def _remove_unhealthy(rollout: Rollout, most: int) -> bool:
    """First the pods that do not serve anyway: they would hold the update up for ever."""
    removed = 0
    for old in _oldest_first(rollout):
        number = min(most - removed, size(old) - told(old, "availableReplicas"))
        if number > 0:
            await rollout.scale(old, size(old) - number)
            removed += number
    return removed > 0


async def _remove_available(rollout: Rollout, least: int) -> bool:
    """As many as there are available beyond the least that there must be."""
    spare = total(rollout.replica_sets, "availableReplicas") - least
    removed = 0
    for old in _oldest_first(rollout):
        number = min(spare - removed, size(old))
        if number > 0:
            await rollout.scale(old, size(old) - number)
            removed += number
    return removed > 0


def _oldest_first(rollout: Rollout) -> list[Object]:
    return sorted(active(rollout.old), key=by_age)
