"""Which owner a change of a pod wakes, and what it tells the account of own writes."""

from kubeling.client import Informer
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.expectations import Expectations
from server.controllers.owned.pace import Pace
from server.controllers.owned.pods import is_active
from server.controllers.replicas.flavour import Flavour


class Wake:
    """Handlers for the informers of the owners and of the pods."""

    def __init__(self, flavour: Flavour, owners: Informer, pace: Pace, expectations: Expectations) -> None:
        self._flavour = flavour
        self._owners = owners
        self._pace = pace
        self._expectations = expectations

    def owner_changed(self, kind: str, owner: Object, before: Object | None) -> None:
        key = meta.key(owner)
        if kind == "DELETED" or (before is not None and meta.uid(before) != meta.uid(owner)):
            self._expectations.forget(key)
        self._pace.wake(key)

    def pod_changed(self, kind: str, pod: Object, before: Object | None) -> None:
        space, reference = meta.namespace(pod), meta.controller_of(pod)
        if before is not None and (earlier := meta.controller_of(before)) != reference:
            self._lost(earlier, space)
        if reference is None:
            if kind != "DELETED":
                self._orphan_changed(pod, before)
        elif (owner := self._owner(reference, space)) is not None:
            self._account(meta.key(owner), kind, pod, before)
            self._wake(owner, kind, pod, before)

    def _account(self, key: str, kind: str, pod: Object, before: Object | None) -> None:
        if kind == "DELETED" or meta.is_terminating(pod):
            self._expectations.deleted(key, meta.uid(pod))
        elif before is None:
            self._expectations.created(key)

    def _wake(self, owner: Object, kind: str, pod: Object, before: Object | None) -> None:
        key = meta.key(owner)
        if _changes_counts_only(kind, pod, before) or not self._expectations.satisfied(key):
            self._pace.wake_soon(key, _number_of_pods(owner))
        else:
            self._pace.wake(key)

    def _owner(self, reference: Object, namespace: str) -> Object | None:
        if not self._flavour.refers(reference):
            return None
        owner = self._owners.get(namespace, str(reference.get("name")))
        return owner if owner is not None and meta.uid(owner) == reference.get("uid") else None

    def _lost(self, reference: Object | None, namespace: str) -> None:
        """The pod has another owner now, or none."""
        if reference is not None and (owner := self._owner(reference, namespace)) is not None:
            self._pace.wake(meta.key(owner))

    def _orphan_changed(self, pod: Object, before: Object | None) -> None:
        """Somebody may want to adopt it now."""
        labels = meta.labels(pod)
        if before is not None and meta.labels(before) == labels and meta.controller_of(before) is None:
            return
        for owner in self._owners.list(meta.namespace(pod)):
            if self._flavour.selects(owner)(labels):
                self._pace.wake(meta.key(owner))


def _number_of_pods(owner: Object) -> int:
    status = owner.get("status") or {}
    counts = (status.get("replicas"), status.get("terminatingReplicas"), owner["spec"].get("replicas"))
    return max(each or 0 for each in counts)


def _changes_counts_only(kind: str, pod: Object, before: Object | None) -> bool:
    """Whether the owner has no more to do than to count anew: it has as many active pods as before."""
    if before is None:
        return False
    active = kind != "DELETED" and is_active(pod)
    return active == is_active(before) and meta.labels(pod) == meta.labels(before)
