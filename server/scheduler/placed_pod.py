"""A pod on its node: what is remembered of it, which is little, since there are many."""

from collections.abc import Mapping
from dataclasses import dataclass

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.scheduler.demand import Amounts, Demand, allocated
from server.scheduler.pod_info import PodInfo
from server.scheduler.pod_terms import Affinity

BY_SCHEDULER = "PreemptionByScheduler"


@dataclass(slots=True, eq=False)
class PlacedPod:
    """Answers the same questions as a PodInfo, but for those about the object itself."""

    key: str
    uid: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    priority: int
    terminating: bool
    demand: Demand
    affinity: Affinity
    claims: tuple[tuple[str, bool], ...]
    disks: tuple[tuple[str, str, bool], ...]
    generation: int
    held: Mapping[str, Amounts]
    """What its containers have, where that is not what they request."""
    started: str = ""
    """status.startTime"""
    leaving: bool = False
    """Whether it is on its way out because the scheduler said so."""

    @classmethod
    def of(cls, info: PodInfo) -> "PlacedPod":
        placed = cls(
            info.key,
            info.uid,
            info.name,
            info.namespace,
            info.labels,
            info.priority,
            info.terminating,
            info.demand,
            info.affinity,
            info.claims,
            info.disks,
            _generation(info.pod),
            allocated(info.pod),
        )
        placed.follow(info.pod)
        return placed

    def is_same(self, pod: Object) -> bool:
        """Whether the object differs in nothing that counts here but what `follow` takes over."""
        return (
            0 < self.generation == _generation(pod)
            and self.uid == meta.uid(pod)
            and self.terminating == meta.is_terminating(pod)
            and self.labels == meta.labels(pod)
            and self.held == allocated(pod)
        )

    def follow(self, pod: Object) -> None:
        """Take over what changes while it runs and is not counted."""
        self.started = (pod.get("status") or {}).get("startTime") or ""
        self.leaving = self.terminating and _is_preempted(pod)


def _generation(pod: Object) -> int:
    return int(meta.metadata(pod).get("generation") or 0)


def _is_preempted(pod: Object) -> bool:
    condition = conditions.find(pod, "DisruptionTarget") or {}
    return condition.get("status") == "True" and condition.get("reason") == BY_SCHEDULER


SomePod = PodInfo | PlacedPod
