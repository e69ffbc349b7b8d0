"""What each pod counts for with its owner, kept as the pods change: looking at a thousand pods at each change
of one of them would be too much.

Fed by the informer's handlers like any index; what it shows is what the accounts of own writes know of.
"""

import sys
from collections.abc import Mapping
from typing import NamedTuple

from kubeling.client import Informer
from kubeling.client.index import orphans
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.owned.pods import is_active, is_finished, node_of, phase
from server.controllers.replicas.flavour import Flavour

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_INT32 = range(-(2**31), 2**31)
Place = tuple[str, str]
"""Namespace and name."""


class Standing(NamedTuple):
    """What counts of a pod. Timestamps are texts, "" where there is none."""

    labels: Mapping[str, str]
    uid: str
    created: str
    node: str
    phase: str
    active: bool
    terminating: bool
    """About to end, and not yet at its end."""
    ready: bool
    ready_since: str
    cost: int
    """Of deleting it, as it is annotated."""
    restarts: tuple[int, int]
    """The most of any of its containers, and of any of its sidecars."""


def standing_of(pod: Object) -> Standing:
    condition = conditions.find(pod, "Ready") or {}
    return Standing(
        labels=meta.labels(pod),
        uid=meta.uid(pod),
        created=str(meta.metadata(pod).get("creationTimestamp") or ""),
        node=sys.intern(node_of(pod)),
        phase=sys.intern(phase(pod)),
        active=is_active(pod),
        terminating=meta.is_terminating(pod) and not is_finished(pod),
        ready=condition.get("status") == "True",
        ready_since=str(condition.get("lastTransitionTime") or ""),
        cost=_cost(pod),
        restarts=_most_restarts(pod),
    )


def _cost(pod: Object) -> int:
    text = meta.annotations(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if cost in _INT32 else 0


def _most_restarts(pod: Object) -> tuple[int, int]:
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    regular = [each.get("restartCount", 0) for each in status.get("containerStatuses") or ()]
    initial = spec.get("initContainers")
    if not initial:
        return max(regular, default=0), 0
    sidecars = {each.get("name") for each in initial if each.get("restartPolicy") == "Always"}
    beside = [
        each.get("restartCount", 0)
        for each in status.get("initContainerStatuses") or ()
        if each.get("name") in sidecars
    ]
    return max(regular, default=0), max(beside, default=0)


class Standings:
    """The pods of one kind of owners, by the owner's uid; and of each namespace those without an owner."""

    def __init__(self, pods: Informer, flavour: Flavour) -> None:
        self._flavour = flavour
        self._filed: dict[str, dict[Place, Standing]] = {}
        self._keys: dict[Place, str] = {}
        pods.add_handler(self._changed)

    def of(self, uid: str) -> Mapping[Place, Standing]:
        """Of the pods that the owner controls."""
        return self._filed.get(uid, {})

    def free(self, namespace: str) -> Mapping[Place, Standing]:
        """Of those that nobody controls."""
        return self._filed.get(orphans(namespace), {})

    def _changed(self, kind: str, pod: Object, _: Object | None) -> None:
        place = (meta.namespace(pod), meta.name(pod))
        key = self._key_of(pod) if kind != "DELETED" else None
        if (earlier := self._keys.get(place)) is not None and earlier != key:
            self._drop(earlier, place)
        if key is not None:
            self._keys[place] = key
            self._file(key, place, standing_of(pod))

    def _key_of(self, pod: Object) -> str | None:
        reference = meta.controller_of(pod)
        if reference is None:
            return orphans(meta.namespace(pod))
        return str(reference["uid"]) if self._flavour.refers(reference) else None

    def _file(self, key: str, place: Place, standing: Standing) -> None:
        filed = self._filed.setdefault(key, {})
        some = next(iter(filed.values()), standing)
        if some.labels == standing.labels:
            standing = standing._replace(labels=some.labels)  # one mapping for all, mostly
        filed[place] = standing

    def _drop(self, key: str, place: Place) -> None:
        del self._keys[place]
        filed = self._filed[key]
        del filed[place]
        if not filed:
            del self._filed[key]
