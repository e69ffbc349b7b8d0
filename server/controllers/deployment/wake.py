"""Which Deployment a change of a ReplicaSet or of a pod wakes."""

from kubeling.client import Informer
from kubeling.client.resources import DEPLOYMENTS, REPLICA_SETS
from kubeling.client.workqueue import WorkQueue
from kubeling.objects import meta
from kubeling.objects.labels import from_label_selector
from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import is_rolling


class Wake:
    def __init__(self, deployments: Informer, replica_sets: Informer, queue: WorkQueue) -> None:
        self._deployments = deployments
        self._replica_sets = replica_sets
        self._queue = queue

    def replica_set_changed(self, kind: str, replica_set: Object, before: Object | None) -> None:
        space, reference = meta.namespace(replica_set), meta.controller_of(replica_set)
        earlier = meta.controller_of(before) if before is not None else None
        if earlier is not None and earlier != reference:
            self._wake(earlier, space)
        if reference is not None:
            self._wake(reference, space)
        elif kind != "DELETED" and (
            before is None or earlier is not None or _relabelled(replica_set, before)
        ):
            self._wake_who_may_adopt(replica_set)

    def pod_changed(self, kind: str, pod: Object, _: Object | None) -> None:
        """One that recreates waits for the old pods to be gone."""
        reference = meta.controller_of(pod)
        if kind != "DELETED" or reference is None or reference.get("kind") != REPLICA_SETS.kind:
            return
        replica_set = self._replica_sets.get(meta.namespace(pod), str(reference.get("name")))
        above = meta.controller_of(replica_set) if replica_set is not None else None
        deployment = self._owner(above, meta.namespace(pod)) if above is not None else None
        if deployment is not None and not is_rolling(deployment):
            self._queue.add(meta.key(deployment))

    def _owner(self, reference: Object, namespace: str) -> Object | None:
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        if (group, reference.get("kind")) != (DEPLOYMENTS.group, DEPLOYMENTS.kind):
            return None
        found = self._deployments.get(namespace, str(reference.get("name")))
        return found if found is not None and meta.uid(found) == reference.get("uid") else None

    def _wake(self, reference: Object, namespace: str) -> None:
        if (owner := self._owner(reference, namespace)) is not None:
            self._queue.add(meta.key(owner))

    def _wake_who_may_adopt(self, replica_set: Object) -> None:
        labels = meta.labels(replica_set)
        for deployment in self._deployments.list(meta.namespace(replica_set)):
            if from_label_selector(deployment["spec"].get("selector")).matches(labels):
                self._queue.add(meta.key(deployment))


def _relabelled(obj: Object, before: Object) -> bool:
    return meta.labels(obj) != meta.labels(before)
