"""A Deployment was scaled, or is paused: its ReplicaSets take their sizes over without any rolling out."""

from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import is_rolling, wanted
from server.controllers.deployment.proportion import proportional_sizes
from server.controllers.deployment.replica_sets import (
    DESIRED_REPLICAS,
    active,
    by_age,
    number,
    size,
    told,
)
from server.controllers.deployment.rollout import Rollout


def was_scaled(rollout: Rollout) -> bool:
    """Whether a ReplicaSet remembers another size of the Deployment. One that recreates has no proportions:
    while there are several sizes in it, recreation goes on."""
    running = active(rollout.replica_sets)
    if len(running) > 1 and not is_rolling(rollout.deployment):
        return False
    remembered = (number(each, DESIRED_REPLICAS) for each in running)
    return any(each not in (None, wanted(rollout.deployment)) for each in remembered)


async def scale(rollout: Rollout) -> None:
    """The only active ReplicaSet gets it all; where there are several, each in proportion."""
    only = _active_or_latest(rollout)
    if only is not None:
        await rollout.scale_and_mark(only, wanted(rollout.deployment))
    elif _is_saturated(rollout.new, rollout.deployment):
        for old in active(rollout.old):
            await rollout.scale(old, 0)
    elif is_rolling(rollout.deployment):
        running = active(rollout.replica_sets)
        for each, to in proportional_sizes(rollout.deployment, running):
            await rollout.scale_and_mark(each, to)


def _active_or_latest(rollout: Rollout) -> Object | None:
    """None where several are active."""
    running = active(rollout.replica_sets)
    if len(running) > 1:
        return None
    return next(iter(running), None) or rollout.new or max(rollout.old, key=by_age, default=None)


def _is_saturated(new: Object | None, deployment: Object) -> bool:
    """Whether the new one has all the pods that are wanted, all available."""
    if new is None:
        return False
    reached = (size(new), number(new, DESIRED_REPLICAS), told(new, "availableReplicas"))
    return all(each == wanted(deployment) for each in reached)
