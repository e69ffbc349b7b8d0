"""A StatefulSet's pods, each in its place: those that it is to have, and those that are too many. Pure."""

from dataclasses import dataclass
from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned import pods
from server.controllers.owned.revisions import POD_LABEL, restored
from server.controllers.stateful_set.identity import first_ordinal, new_pod, ordinal_of, ordinals


@dataclass(frozen=True, slots=True)
class Revisions:
    """The one that all pods had, the one that they are to have; the same when no update is under way."""

    current: Object
    update: Object
    collisions: int

    @property
    def update_name(self) -> str:
        return meta.name(self.update)

    @property
    def current_name(self) -> str:
        return meta.name(self.current)


@dataclass(frozen=True, slots=True)
class Replicas:
    """`wanted` by their ordinals, with drafts where there is no pod; `condemned`, the highest first."""

    wanted: list[Object]
    condemned: list[Object]

    def first_unavailable(self, set_: Object, now: datetime) -> Object | None:
        in_order = self.wanted + self.condemned[::-1]
        return next((pod for pod in in_order if is_unavailable(set_, pod, now)), None)


def arrange(set_: Object, there: list[Object], revisions: Revisions) -> Replicas:
    by_ordinal = {ordinal_of(pod): pod for pod in there}
    wanted = [by_ordinal.pop(ordinal, {}) or _draft(set_, ordinal, revisions) for ordinal in ordinals(set_)]
    condemned = [by_ordinal[ordinal] for ordinal in sorted(by_ordinal, reverse=True)]
    return Replicas(wanted, condemned)


def _draft(set_: Object, ordinal: int, revisions: Revisions) -> Object:
    """Below the partition pods stay what they were."""
    old = ordinal < first_ordinal(set_) + partition(set_)
    revision = revisions.current if old else revisions.update
    return new_pod(restored(set_, revision), ordinal, revision=meta.name(revision))


def partition(set_: Object) -> int:
    strategy = set_["spec"].get("updateStrategy") or {}
    return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)


def in_order(set_: Object) -> bool:
    """Whether its pods come and go one after the other."""
    return bool(set_["spec"].get("podManagementPolicy") != "Parallel")


def min_ready_seconds(set_: Object) -> int:
    return int(set_["spec"].get("minReadySeconds") or 0)


def revision_of(pod: Object) -> str:
    return str(meta.labels(pod).get(POD_LABEL) or "")


def is_created(pod: Object) -> bool:
    """A draft has no phase."""
    return bool(pods.phase(pod))


def is_running_and_ready(pod: Object) -> bool:
    return pods.phase(pod) == "Running" and pods.is_ready(pod)


def is_available(set_: Object, pod: Object, now: datetime) -> bool:
    return pods.is_available(pod, min_ready_seconds=min_ready_seconds(set_), now=now)


def is_unavailable(set_: Object, pod: Object, now: datetime) -> bool:
    return meta.is_terminating(pod) or not is_available(set_, pod, now)


def is_healthy(set_: Object, pod: Object, now: datetime) -> bool:
    """Ready, and for long enough."""
    return is_running_and_ready(pod) and is_available(set_, pod, now)
