"""The pods of all virtual nodes: a worker for each, told by the API and by the virtual runtimes.

As `runtime.pods.agent`, for many nodes and without anything on the machine to be cleaned up.

    node lost ──> its containers run on; changes of pods are not seen, nothing is written, no event recorded,
                  pods that are being deleted stay; what the API has no more is forgotten
    found     ──> each pod is taken as the API shows it now
"""

import asyncio
import logging
from collections.abc import Callable

from kubeling.client.index import Index, by_node
from kubeling.client.protocol import Informer
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, is_terminating, uid
from kubeling.objects.tasks import Tasks
from runtime.pods import identity
from runtime.pods.context import NodeContext
from runtime.pods.status.report import report
from runtime.pods.worker import PodWorker
from runtime.virtual.runtime import VirtualRuntime
from runtime.virtual.wishes import said_in

logger = logging.getLogger(__name__)

WRITERS = 16
"""Statuses that are written at the same time."""


class VirtualPods:
    def __init__(
        self, pods: Informer, clock: Clock, tasks: Tasks, context_of: Callable[[str], NodeContext | None]
    ) -> None:
        """`context_of` gives what the pods of a node share; None for a node that is not virtual."""
        self._pods = pods
        self._clock = clock
        self._tasks = tasks
        self._context_of = context_of
        self._workers: dict[str, PodWorker] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        self._by_node: Index | None = None
        self._turns: asyncio.Queue[PodWorker] = asyncio.Queue()
        self._reports: asyncio.Queue[PodWorker] = asyncio.Queue()
        self._at_work = 0
        self._lost: set[str] = set()

    def start(self) -> None:
        """Begin with the pods that there are; the nodes that are known by now are served."""
        self._tasks.start(self._take_turns(), name="turns")
        for number in range(WRITERS):
            self._tasks.start(self._write(), name=f"writer-{number}")
        self._by_node = Index.shared(self._pods, by_node)
        self._pods.add_handler(self._changed)

    @property
    def idle(self) -> bool:
        """Whether no worker has anything to do at this moment."""
        return not self._at_work and self._turns.empty() and self._reports.empty()

    def pod(self, pod_uid: str) -> Object:
        worker = self._workers.get(pod_uid)
        return worker.work.pod if worker is not None else {}

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        return self._workers.get(self._by_name.get((namespace, name), ""))

    def runtime_of(self, namespace: str, name: str) -> VirtualRuntime:
        """The runtime of a pod that has a worker."""
        worker = self.worker(namespace, name)
        assert worker is not None
        return _runtime_of(worker)

    def workers(self) -> list[PodWorker]:
        return list(self._workers.values())

    def node_came(self, name: str) -> None:
        """A node is virtual from now on, or was lost and is found: the pods that it has are served."""
        self._lost.discard(name)
        for pod in self._by_node.get(name) if self._by_node is not None else ():
            worker = self._workers.get(uid(pod))
            if worker is None:
                self._begin(pod)
            else:
                self._catch_up(worker, pod)

    def node_lost(self, name: str) -> None:
        """Until the node comes, nobody hears of its pods, and they hear of nothing."""
        self._lost.add(name)

    def is_lost(self, name: str) -> bool:
        return name in self._lost

    def wake(self, key: tuple[str, str]) -> None:
        """An alarm rang for (pod uid, what for)."""
        worker = self._workers.get(key[0])
        if worker is not None:
            worker.wake()

    def sources_changed(self, pod_uid: str) -> None:
        worker = self._workers.get(pod_uid)
        if worker is not None:
            worker.sources_changed()

    def container_ended(self, pod_uid: str, container_id: str) -> None:
        worker = self._workers.get(pod_uid)
        if worker is not None:
            worker.runtime_changed(container_id)

    def slow(self, pod_uid: str) -> None:
        """A step of the pod takes time: what it has come to is worth a report."""
        worker = self._workers.get(pod_uid)
        if worker is not None:
            worker.work.slow = True
            worker.wake()

    async def stop(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))

    def _changed(self, kind: str, pod: Object, old: Object | None) -> None:
        worker = self._workers.get(uid(pod))
        if worker is None:
            if kind != "DELETED" and node_of(pod) and not self.is_lost(node_of(pod)):
                self._begin(pod)
        elif kind == "DELETED":
            worker.removed()
        elif not self._is_silent(worker):
            self._update(worker, pod)

    def _update(self, worker: PodWorker, pod: Object) -> None:
        """What the annotations say holds at once."""
        told = said_in(worker.work.pod) != said_in(pod)
        worker.update(pod)
        if told:
            worker.retry()
            _runtime_of(worker).changed(pod)

    def _catch_up(self, worker: PodWorker, pod: Object) -> None:
        """The turn that was passed is taken; what was not written is, in terms of the pod as it is now."""
        self._update(worker, pod)
        worker.wake()
        if not worker.work.writer.settled:
            if not worker.work.activities.any("tear-down", "settle"):  # they have told how it ended
                report(worker.work)
            self._reports.put_nowait(worker)

    def _is_silent(self, worker: PodWorker) -> bool:
        return bool(self._lost) and self.is_lost(worker.work.context.node_name)

    def _begin(self, pod: Object) -> None:
        context = self._context_of(node_of(pod))
        if context is None:
            return
        known = bool((pod.get("status") or {}).get("containerStatuses"))
        worker = PodWorker(context, identity.of_pod(pod), pod, known=known)
        self._workers[uid(pod)] = worker
        self._by_name[meta.namespace(pod), meta.name(pod)] = uid(pod)
        if known:
            _runtime_of(worker).adopt(pod)
        worker.woken = self._queued(self._turns, worker)
        worker.work.writer.due = self._queued(self._reports, worker)
        worker.wake()

    def _queued(self, queue: "asyncio.Queue[PodWorker]", worker: PodWorker) -> Callable[[], None]:
        """A call that puts the worker into the queue, where it waits once."""

        def put() -> None:
            queue.put_nowait(worker)

        return put

    async def _take_turns(self) -> None:
        """All turns, one after the other: none of them waits for anything but itself."""
        while True:
            worker = await self._turns.get()
            if self._must_stay(worker):
                worker.pass_turn()
                continue
            try:
                await worker.turn()
            except Exception:
                logger.exception("pod %s failed, it is looked at again", worker.work.identity)
                worker.runtime_changed("")
            if worker.work.finished:
                self._forget(worker)

    def _must_stay(self, worker: PodWorker) -> bool:
        """Whether the pod's end would be told to the API, which its node cannot reach."""
        return self._is_silent(worker) and is_terminating(worker.work.pod) and not worker.work.gone

    async def _write(self) -> None:
        while True:
            worker = await self._reports.get()
            if self._is_silent(worker):
                continue
            self._at_work += 1
            try:
                await worker.work.writer.write()
            finally:
                self._at_work -= 1

    def _forget(self, worker: PodWorker) -> None:
        namespace, name, pod_uid = worker.work.identity
        self._workers.pop(pod_uid, None)
        if self._by_name.get((namespace, name)) == pod_uid:
            del self._by_name[namespace, name]


def _runtime_of(worker: PodWorker) -> VirtualRuntime:
    runtime = worker.work.context.runtime
    assert isinstance(runtime, VirtualRuntime)
    return runtime


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")
