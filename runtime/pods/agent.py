"""All pods of the node: a worker for each, told by the API and by the runtime; orphans are taken down.

`PodAgent` starts workers and hands them what happens; what a pod needs is its worker's to find out.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from kubeling.client.protocol import Informer
from kubeling.objects.meta import Object, uid
from kubeling.objects.tasks import Tasks
from runtime.container_runtime import RuntimeEventKind
from runtime.errors import RuntimeServiceError
from runtime.pods import identity
from runtime.pods.cleanup import remove_stale_logs, stale_uids
from runtime.pods.context import NodeContext
from runtime.pods.identity import PodIdentity
from runtime.pods.resync import resync
from runtime.pods.worker import PodWorker

logger = logging.getLogger(__name__)

RETRY = 1.0


class OwnPods(Protocol):
    """The pods that the node has from files of its own; the API has mirrors of them."""

    async def start(self, begin: Callable[[Object], PodWorker], tasks: Tasks) -> None:
        """Begin those that there are now; `begin` starts a worker."""

    async def stop(self) -> None: ...

    def mirror_changed(self, kind: str, mirror: Object) -> None: ...

    def ended(self, worker: PodWorker) -> None:
        """Nothing is left of the worker's pod, which may have been one of these."""


class PodAgent:
    """`context.alarms` and `context.sources` must call `wake` and `sources_changed` of this agent."""

    def __init__(self, context: NodeContext, pods: Informer, own: OwnPods | None = None) -> None:
        self._own = own
        self._context = context
        self._pods = pods
        self._tasks = Tasks("pods")
        self._workers: dict[str, PodWorker] = {}
        self._listed: dict[str, PodIdentity] = {}

    @property
    def workers(self) -> list[PodWorker]:
        return list(self._workers.values())

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of the pod of that name; of two with one name the one that the API has."""
        named = [each for each in self.workers if each.work.identity[:2] == (namespace, name)]
        return min(named, key=lambda each: each.work.gone, default=None)

    def wake(self, key: tuple[str, str]) -> None:
        """An alarm rang for (pod uid, what for)."""
        worker = self._workers.get(key[0])
        if worker is not None:
            worker.wake()

    def sources_changed(self, pod_uid: str) -> None:
        worker = self._workers.get(pod_uid)
        if worker is not None:
            worker.sources_changed()

    def images_arrived(self) -> None:
        """Other images than by pulling: pods that wait for one look again."""
        for worker in self.workers:
            if worker.work.waits_for_image:
                worker.retry()

    async def run(self) -> None:
        """Until cancelled. Needs the runtime; takes the API as it comes, and decides nothing before."""
        self._listed = await self._list_runtime()
        if self._own is not None:
            await self._own.start(self._begin_static, self._tasks)
        self._pods.add_handler(self._pod_changed)
        self._tasks.start(self._first_sweep(), name="orphans")
        self._tasks.start(
            resync(self._context.clock, relist=self._runtime_changed, clock_set=self._clock_set),
            name="resync",
        )
        async for event in self._context.runtime.events():
            if event.kind is RuntimeEventKind.RELIST:
                self._runtime_came()
            elif event.kind is RuntimeEventKind.LOOK:
                self._runtime_changed("")
            elif event.kind is RuntimeEventKind.STOPPED:
                self._stopped(event.id)
            else:
                self._runtime_changed(event.id)

    async def stop(self, *, within: float) -> None:
        """End all workers; the pods run on."""
        if self._own is not None:
            await self._own.stop()
        await asyncio.gather(*(worker.stop(within=within) for worker in self.workers))
        await self._context.sources.stop()
        await self._tasks.stop()

    def _pod_changed(self, kind: str, pod: Object, old: Object | None) -> None:
        if identity.is_mirror(pod):
            if self._own is not None:
                self._own.mirror_changed(kind, pod)
            return
        worker = self._workers.get(uid(pod))
        if kind == "DELETED":
            if worker is not None:
                worker.removed()
        elif worker is None:
            self._begin(identity.of_pod(pod), pod)
        else:
            worker.update(pod)

    def _begin_static(self, pod: Object) -> PodWorker:
        return self._begin(identity.of_pod(pod), pod)

    def _begin(self, pod_identity: PodIdentity, pod: Object | None) -> PodWorker:
        known = pod_identity.uid in self._listed
        worker = PodWorker(self._context, pod_identity, pod, known=known)
        self._workers[pod_identity.uid] = worker
        self._tasks.start(self._follow(worker), name=f"worker-{pod_identity}")
        return worker

    async def _follow(self, worker: PodWorker) -> None:
        """Run a worker to its end; one that is ended by a fault begins anew, from what stands."""
        while not worker.work.finished:
            await self._tasks.start(worker.run(), name=f"{worker.work.identity}")
            if not worker.work.finished:
                await self._context.clock.sleep(RETRY)
                worker.runtime_changed("")
        self._workers.pop(worker.work.identity.uid, None)
        self._listed.pop(worker.work.identity.uid, None)
        if self._own is not None:
            self._own.ended(worker)

    def _runtime_came(self) -> None:
        for worker in self.workers:
            worker.retry()
            worker.runtime_changed("")

    def _clock_set(self) -> None:
        for worker in self.workers:
            worker.wake()

    def _stopped(self, runtime_id: str) -> None:
        for worker in self.workers:
            worker.stopped(runtime_id)

    def _runtime_changed(self, runtime_id: str = "") -> None:
        for worker in self.workers:
            worker.runtime_changed(runtime_id)

    async def sweep(self) -> None:
        """Take down what belongs to no pod any more, in the runtime and on the disk."""
        self._listed |= await self._list_runtime()
        await self._first_sweep()

    async def _first_sweep(self) -> None:
        """Once the API has said which pods there are: with what the runtime had when the agent began."""
        await self._pods.wait_synced()
        known = {uid(pod) for pod in self._pods.list()} | self._workers.keys()
        for pod_identity in list(self._listed.values()):
            if pod_identity.uid not in known:
                logger.info("pod %s is not in the API any more: taking it down", pod_identity)
                self._begin(pod_identity, None)
        known |= self._workers.keys()
        remove_stale_logs(self._context.root, known)
        for stale in stale_uids(self._context.root, known):
            self._begin(PodIdentity("", "", stale), None)

    async def _list_runtime(self) -> dict[str, PodIdentity]:
        """The pods that the runtime has something of; waits until it answers."""
        while True:
            try:
                labels = [each.labels for each in await self._context.runtime.list_pod_sandboxes()]
                labels += [each.labels for each in await self._context.runtime.list_containers()]
            except RuntimeServiceError as error:
                logger.warning("the runtime does not answer: %s", error)
                await self._context.clock.sleep(RETRY)
                continue
            found = map(identity.of_labels, labels)
            return {each.uid: each for each in found if each is not None}
