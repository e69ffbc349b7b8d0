"""The pods of the node for the kubelet API as their workers know them: API spec, newest status."""

from collections.abc import Sequence

from kubeling.objects.meta import Object
from runtime.pods.agent import PodAgent
from runtime.pods.worker import PodWorker


class AgentPods:
    """A `PodLookup` over the pod workers."""

    def __init__(self, agent: PodAgent) -> None:
        self._agent = agent

    def pod(self, namespace: str, name: str) -> Object | None:
        worker = self._agent.worker(namespace, name)
        return None if worker is None else shown(worker)

    def pods(self) -> Sequence[Object]:
        return [shown(worker) for worker in self._agent.workers if worker.work.pod]


def shown(worker: PodWorker) -> Object:
    """The pod with the newest status."""
    pod = worker.work.pod
    metadata = pod.get("metadata") or {
        "namespace": worker.work.identity.namespace,
        "name": worker.work.identity.name,
        "uid": worker.work.identity.uid,
    }
    return {**pod, "metadata": metadata, "status": worker.work.writer.latest}
