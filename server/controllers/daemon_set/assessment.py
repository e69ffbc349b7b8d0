"""What the pods of one DaemonSet on one node amount to, and what is to be done about them. Pure.

Nodes are assessed one by one, so whatever depends on the others - how many may be away at once - is left to
`rolling`: here a node only gets its `Turn` in an update.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.daemon_set.placement import NOWHERE, Fit, Placement
from server.controllers.daemon_set.template import GENERATION_LABEL
from server.controllers.owned import pods as worth
from server.controllers.owned.revisions import POD_LABEL


@dataclass(frozen=True, slots=True)
class Plan:
    """What the DaemonSet asks for; a new one for each `identity`: uid, generation and revision."""

    identity: tuple[str, int, str]
    placement: Placement
    revision: str
    generation: str
    min_ready_seconds: int
    surges: bool

    def is_updated(self, pod: Object) -> bool:
        labels = meta.labels(pod)
        if self.revision and labels.get(POD_LABEL) == self.revision:
            return True
        return bool(self.generation) and labels.get(GENERATION_LABEL) == self.generation


class Turn(Enum):
    """Where a node stands in a rolling update."""

    NONE = auto()
    AWAY = auto()
    """No pod that works: it counts against maxUnavailable, or maxSurge."""
    BROKEN = auto()
    """An old pod that does not work: it may be replaced in any case."""
    CANDIDATE = auto()
    """An old pod that works."""
    REPLACED = auto()
    """The old pod may go: its successor is available, or it should not be there."""
    SUNSET = auto()
    """An old pod works where none should be: it goes when enough work elsewhere."""


@dataclass(frozen=True, slots=True)
class Counts:
    desired: bool = False
    current: bool = False
    misscheduled: bool = False
    ready: bool = False
    available: bool = False
    updated: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    needs_pod: bool = False
    surplus: Sequence[Object] = ()
    ended: Sequence[Object] = ()
    """Pods that failed or succeeded, which are deleted with an event."""
    turn: Turn = Turn.NONE
    old: Object | None = None
    available: bool = False
    """Whether a pod, old or new, works there."""
    counts: Counts = field(default_factory=Counts)
    revisions: Sequence[str] = ()
    matures_in: float | None = None
    """Seconds until a pod that is ready will be available."""


def assess(plan: Plan, node: Object | None, all_pods: list[Object], now: datetime) -> Assessment:
    """Of a node, which may be gone, and the DaemonSet's pods that are on it or wait for it."""
    fit = plan.placement.fit(node) if node is not None else NOWHERE
    pods = sorted((pod for pod in all_pods if not _is_over(pod)), key=_age)
    view = _View(plan, fit, pods, now)
    turn, old, available = view.turn()
    needs, surplus, ended = view.actions() if node is not None else (False, view.never_bound(), [])
    return Assessment(
        needs_pod=needs,
        surplus=tuple(surplus),
        ended=tuple(ended),
        turn=turn,
        old=old,
        available=available,
        counts=view.counts() if node is not None else Counts(),
        revisions=tuple(meta.labels(pod).get(POD_LABEL, "") for pod in all_pods),
        matures_in=view.matures_in(),
    )


class _View:
    """`_standing` are the pods that are not being deleted, `_working` those of them that have not ended."""

    def __init__(self, plan: Plan, fit: Fit, pods: list[Object], now: datetime) -> None:
        self._plan = plan
        self._fit = fit
        self._pods = pods
        self._now = now
        self._standing = [pod for pod in pods if not meta.is_terminating(pod)]
        self._working = [pod for pod in self._standing if not worth.is_finished(pod)]

    def actions(self) -> tuple[bool, list[Object], list[Object]]:
        """Whether a pod is needed, which are too many, and which have ended."""
        if not self._fit.stay:
            return False, self._standing, []
        if not self._pods:
            return self._fit.run, [], []
        ended = [pod for pod in self._standing if worth.is_finished(pod)]
        if not self._plan.surges:
            return False, self._working[1:], ended
        return self._fit.run and not self._standing, self._surplus_of_surge(), ended

    def never_bound(self) -> list[Object]:
        """Pods for a node that is gone, which nobody else would delete."""
        return [pod for pod in self._standing if not worth.node_of(pod)]

    def turn(self) -> tuple[Turn, Object | None, bool]:
        """With the old pod, and whether any works. More than one of a kind are for `actions` to sort out."""
        new = [pod for pod in self._standing if self._plan.is_updated(pod)]
        old = [pod for pod in self._standing if not self._plan.is_updated(pod)]
        if len(new) > 1 or len(old) > 1:
            return Turn.AWAY, None, False
        works = self._works((old or new)[0]) if old or new else False
        choose = self._surge_turn if self._plan.surges else self._turn
        return choose(new, old), old[0] if old else None, works

    def counts(self) -> Counts:
        """By the oldest pod, as upstream does."""
        if not self._fit.run:
            return Counts(misscheduled=bool(self._pods))
        if not self._pods:
            return Counts(desired=True)
        oldest = self._pods[0]
        return Counts(
            desired=True,
            current=True,
            ready=worth.is_ready(oldest),
            available=self._works(oldest),
            updated=self._plan.is_updated(oldest),
        )

    def matures_in(self) -> float | None:
        needed = self._plan.min_ready_seconds
        if not needed:
            return None
        waits = [
            worth.seconds_to_available(pod, min_ready_seconds=needed, now=self._now) for pod in self._pods
        ]
        return min((wait for wait in waits if wait), default=None)

    def _turn(self, new: list[Object], old: list[Object]) -> Turn:
        if bool(new) == bool(old):
            return Turn.AWAY if self._pods or self._fit.run else Turn.NONE
        if new:
            return Turn.NONE if self._works(new[0]) else Turn.AWAY
        return Turn.CANDIDATE if self._works(old[0]) else Turn.BROKEN

    def _surge_turn(self, new: list[Object], old: list[Object]) -> Turn:
        if not old:
            return Turn.NONE
        if new:
            return Turn.REPLACED if self._works(new[0]) else Turn.AWAY
        if self._works(old[0]):
            return Turn.CANDIDATE if self._fit.run else Turn.SUNSET
        return Turn.BROKEN if self._fit.run else Turn.REPLACED

    def _surplus_of_surge(self) -> list[Object]:
        """Two may be there: an old one that is ready, and a new one until it is available."""
        new = [pod for pod in self._working if meta.labels(pod).get(POD_LABEL) == self._plan.revision]
        old = [pod for pod in self._working if meta.labels(pod).get(POD_LABEL) != self._plan.revision]
        surplus = new[1:] + old[1:]
        if new and old and (not worth.is_ready(old[0]) or self._works(new[0])):
            surplus.append(old[0])
        return surplus

    def _works(self, pod: Object) -> bool:
        return worth.is_available(pod, min_ready_seconds=self._plan.min_ready_seconds, now=self._now)


def _is_over(pod: Object) -> bool:
    """It has ended and is being deleted: it stands in nobody's way."""
    return meta.is_terminating(pod) and worth.is_finished(pod)


def _age(pod: Object) -> tuple[bool, str, str]:
    """Those that have a node come first, then the oldest."""
    created = str(meta.metadata(pod).get("creationTimestamp") or "")
    return not worth.node_of(pod), created, meta.name(pod)
