"""What filter and score plug-ins are, and what they are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from kubeling.objects.meta import Object
from server.scheduler.demand import Demand
from server.scheduler.node_state import NodeState

TOP_SCORE = 100


class ClusterEvent(Enum):
    """Changes after which a pod that did not fit may fit."""

    NODE_ADDED = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()
    POD_GONE = auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod that looks for a node."""

    pod: Object
    demand: Demand

    @property
    def spec(self) -> Object:
        return self.pod.get("spec") or {}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a node will not do, in upstream's words; `resolvable` when it could by removing pods from it."""

    reasons: tuple[str, ...]
    resolvable: bool = False


class Filter(Protocol):
    events: frozenset[ClusterEvent]
    """What may change its mind."""

    def filter(self, candidate: Candidate, node: NodeState) -> Rejection | None:
        """None when the pod may run there."""
        ...


class Score(Protocol):
    weight: int

    def score(self, candidate: Candidate, nodes: list[NodeState]) -> Mapping[str, float]:
        """By node name, from 0 to TOP_SCORE, the higher the better."""
        ...
