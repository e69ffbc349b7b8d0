"""A pod that may be evicted, as the evictor sees it and as its worker is."""

from collections.abc import Iterator
from typing import Protocol

from kubeling.objects.meta import Object
from runtime.eviction.message import REASON, Eviction
from runtime.pods.agent import PodAgent
from runtime.pods.status import phase as phases
from runtime.pods.status.pod import Verdict
from runtime.pods.worker import PodWorker


class Candidate(Protocol):
    @property
    def pod(self) -> Object: ...

    @property
    def over(self) -> bool:
        """Whether nothing of the pod takes room any more."""

    def evict(self, eviction: Eviction) -> None:
        """Begin to end the pod; it has failed then."""


class WorkerCandidate:
    """A pod worker's pod."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker

    @property
    def pod(self) -> Object:
        return self._worker.work.pod

    @property
    def over(self) -> bool:
        return self._worker.work.settled or self._worker.work.finished

    def evict(self, eviction: Eviction) -> None:
        work = self._worker.work
        work.events.warning(REASON, eviction.message, annotations=eviction.annotations)
        work.verdict = Verdict(
            REASON,
            eviction.message,
            grace=eviction.grace,
            disruption="TerminationByKubelet" if eviction.disruption else "",
            at=work.context.clock.now(),
        )
        work.context.tally.evictions[eviction.signal] += 1
        self._worker.wake()


def candidates(agent: PodAgent) -> Iterator[WorkerCandidate]:
    """The pods that are not over yet, whether they run already or end just now."""
    for worker in agent.workers:
        work = worker.work
        ended = work.verdict is not None or phases.is_terminal(work.writer.latest.get("phase", ""))
        if work.pod and not work.gone and not ended:
            yield WorkerCandidate(worker)
