"""Which owner a change of a pod wakes, and what it tells the account of own writes."""

from kubeling.client import Informer
from kubeling.client.workqueue import WorkQueue
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.expectations import Expectations
from server.controllers.replicas.flavour import Flavour


class Wake:
    """Handlers for the informers of the owners and of the pods."""

    def __init__(
        self, flavour: Flavour, owners: Informer, queue: WorkQueue, expectations: Expectations
    ) -> None:
        self._flavour = flavour
        self._owners = owners
        self._queue = queue
        self._expectations = expectations

    def owner_changed(self, kind: str, owner: Object, before: Object | None) -> None:
        key = meta.key(owner)
        if kind == "DELETED" or (before is not None and meta.uid(before) != meta.uid(owner)):
            self._expectations.forget(key)
        self._queue.add(key)

    def pod_changed(self, kind: str, pod: Object, before: Object | None) -> None:
        reference = meta.controller_of(pod)
        if before is not None and (earlier := meta.controller_of(before)) != reference:
            self._wake(earlier, meta.namespace(pod))
        key = self._wake(reference, meta.namespace(pod))
        if kind == "DELETED" or meta.is_terminating(pod):
            if key is not None:
                self._expectations.deleted(key, meta.uid(pod))
        elif before is None and key is not None:
            self._expectations.created(key)
        elif reference is None:
            self._orphan_changed(pod, before)

    def _wake(self, reference: Object | None, namespace: str) -> str | None:
        """The key of the owner that was woken; None if the reference is to none that is there."""
        if reference is None or not self._flavour.refers(reference):
            return None
        owner = self._owners.get(namespace, str(reference.get("name")))
        if owner is None or meta.uid(owner) != reference.get("uid"):
            return None
        key = meta.key(owner)
        self._queue.add(key)
        return key

    def _orphan_changed(self, pod: Object, before: Object | None) -> None:
        """Somebody may want to adopt it now."""
        labels = meta.labels(pod)
        if before is not None and meta.labels(before) == labels and meta.controller_of(before) is None:
            return
        for owner in self._owners.list(meta.namespace(pod)):
            if self._flavour.selects(owner)(labels):
                self._queue.add(meta.key(owner))
