"""Which Deployment the end of a pod wakes: one that recreates waits for its old pods to be gone."""

from collections.abc import Callable

from kubeling.client import Informer
from kubeling.client.resources import DEPLOYMENTS, REPLICA_SETS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import is_rolling
from server.controllers.owned.waking import resolved


def pod_waker(
    deployments: Informer, replica_sets: Informer, wake: Callable[[Object], None]
) -> Callable[..., None]:
    """A handler of the pods' informer that calls `wake` with the Deployment."""

    def changed(change: str, pod: Object, _: Object | None) -> None:
        reference = meta.controller_of(pod)
        if change != "DELETED" or reference is None:
            return
        for replica_set in resolved(replica_sets, REPLICA_SETS.kind, pod, reference):
            above = meta.controller_of(replica_set) or {}
            for deployment in resolved(deployments, DEPLOYMENTS.kind, replica_set, above):
                if not is_rolling(deployment):
                    wake(deployment)

    return changed
