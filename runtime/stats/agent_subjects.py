"""The pods of the node agent's workers, to be measured."""

from collections.abc import Sequence

from runtime.pods.agent import PodAgent
from runtime.stats.subject import Subject, subject_of


class AgentSubjects:
    """`Subjects` over the pod workers."""

    def __init__(self, agent: PodAgent) -> None:
        self._agent = agent

    def subjects(self) -> Sequence[Subject]:
        return [each for worker in self._agent.workers if (each := subject_of(worker.work)) is not None]
