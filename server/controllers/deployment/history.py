"""Old ReplicaSets are kept for rolling back to, but not more of them than the Deployment says."""

from contextlib import suppress

from kubeling.client.resources import REPLICA_SETS
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.deployment.replica_sets import by_revision, size, told
from server.controllers.deployment.rollout import Rollout

_UNLIMITED = 2**31 - 1


async def forget_old(rollout: Rollout) -> None:
    """Delete the oldest revisions beyond the limit, of those that have no pods."""
    limit = rollout.deployment["spec"].get("revisionHistoryLimit")
    if limit in (None, _UNLIMITED):
        return
    kept = [each for each in rollout.old if not meta.is_terminating(each)]
    for each in by_revision(kept)[: max(len(kept) - limit, 0)]:
        if _is_empty(each):
            with suppress(NotFound):
                await rollout.client.delete(
                    REPLICA_SETS,
                    meta.name(each),
                    namespace=meta.namespace(each),
                    preconditions={"uid": meta.uid(each)},
                    propagation_policy="Background",
                )


def _is_empty(replica_set: Object) -> bool:
    seen = told(replica_set, "observedGeneration") >= replica_set["metadata"].get("generation", 0)
    return seen and size(replica_set) == 0 and told(replica_set, "replicas") == 0
