"""How soon a change of a pod wakes the owners it concerns, and what it tells the account of own writes."""

from kubeling.client import Informer
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.expectations import Expectations
from server.controllers.owned.pace import Pace
from server.controllers.owned.pods import is_active
from server.controllers.owned.waking import concerned
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
        controller = meta.controller_of(pod)
        selects, named = self._flavour.selects, self._flavour.resource.kind
        for owner in concerned(self._owners, named, kind, pod, before, selects=selects):
            if controller is not None and controller.get("uid") == meta.uid(owner):
                self._account(meta.key(owner), kind, pod, before)
                self._wake(owner, kind, pod, before)
            else:
                self._pace.wake(meta.key(owner))

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
