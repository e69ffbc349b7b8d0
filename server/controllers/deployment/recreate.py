"""Recreation: all old pods go, and are gone, before new ones come."""

from kubeling.client import Informer
from kubeling.client.index import Index
from kubeling.objects import meta
from server.controllers.deployment.bounds import wanted
from server.controllers.deployment.replica_sets import active, total
from server.controllers.deployment.revision import ensure_new
from server.controllers.deployment.rollout import Rollout
from server.controllers.owned.pods import is_finished


async def recreate(rollout: Rollout, *, known: Informer, pods: Index) -> bool:
    """Whether the old ones were scaled down, or still run."""
    old = active(rollout.old)
    for each in old:
        await rollout.scale(each, 0)
    if old or _old_pods_run(rollout, pods):
        return True
    await rollout.scale(await ensure_new(rollout, known), wanted(rollout.deployment))
    return False


def _old_pods_run(rollout: Rollout, pods: Index) -> bool:
    """Those of the old ReplicaSets that have not ended; also those that are about to."""
    if total(rollout.old, "replicas") > 0:
        return True
    owned = (pod for each in rollout.old for pod in pods.get(meta.uid(each)))
    return any(not is_finished(pod) for pod in owned)
