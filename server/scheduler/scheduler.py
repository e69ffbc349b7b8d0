"""The scheduling loop: one pod at a time is given a node; bindings and reports go on in the background.

Deciding never waits for anything, so the time from a pod's creation to its binding is that of one write.
"""

import asyncio
import logging
import platform
from contextlib import suppress

from kubeling.client import STRATEGIC_PATCH, Client, ConnectionLost, EventRecorder
from kubeling.client.resources import NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.scheduler.cluster_events import node_events
from server.scheduler.cluster_state import ClusterState, is_finished, node_of
from server.scheduler.demand import demand
from server.scheduler.diagnosis import Diagnosis
from server.scheduler.framework import Candidate, ClusterEvent
from server.scheduler.queue import SchedulingQueue, Waiting
from server.scheduler.selection import select_node

logger = logging.getLogger(__name__)

NAME = "default-scheduler"
BINDINGS = 256
"""How many bindings may be under way; more wait, their pods being assumed on their nodes already."""


class Scheduler:
    """Schedules the pods whose schedulerName is NAME."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._pods = client.informer(PODS)
        self._nodes = client.informer(NODES)
        self._state = ClusterState()
        self._queue = SchedulingQueue(clock)
        self._recorder = EventRecorder(client, NAME, clock=clock, instance=f"{NAME}-{platform.node()}")
        self._tasks = Tasks("scheduler")
        self._slots = asyncio.Semaphore(BINDINGS)
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background as soon as nodes and pods are known."""
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)
        self._loop = self._tasks.start(self._run(), name="loop")

    def health(self) -> str:
        """Why no pods are scheduled; an empty text while they are."""
        return "" if self._loop is not None and not self._loop.done() else "the scheduling loop has ended"

    @property
    def idle(self) -> bool:
        """Whether no pod is ready to be scheduled and nothing is being written; back-offs do not count."""
        return self._queue.idle and len(self._tasks) <= 1

    async def stop(self) -> None:
        """Stop at once. A binding under way may or may not take effect; nothing is lost by either."""
        self._pods.remove_handler(self._pod_changed)
        self._nodes.remove_handler(self._node_changed)
        await self._tasks.stop()
        await self._queue.close()
        await self._recorder.close()

    # What happens in the cluster.

    def _node_changed(self, kind: str, node: Object, old: Object | None) -> None:
        if kind == "DELETED":
            self._state.remove_node(meta.name(node))
            return
        self._state.put_node(node)
        for event in node_events(node, old):
            self._queue.happened(event)

    def _pod_changed(self, kind: str, pod: Object, old: Object | None) -> None:
        gone = kind == "DELETED"
        if gone:
            self._state.remove_pod(meta.key(pod))
        else:
            self._state.put_pod(pod)
        if not gone and _wants_node(pod):
            self._enqueue(pod, old)
        else:
            self._queue.remove(meta.key(pod))
        if old is not None and _occupies(old) and (gone or not _occupies(pod)):
            self._queue.happened(ClusterEvent.POD_GONE)

    def _enqueue(self, pod: Object, old: Object | None) -> None:
        if self._state.is_assumed(meta.key(pod)):
            return
        self._queue.add(pod)
        if old is not None and (pod.get("spec"), meta.labels(pod)) != (old.get("spec"), meta.labels(old)):
            self._queue.changed(pod)

    # Scheduling.

    async def _run(self) -> None:
        await self._nodes.wait_synced()
        await self._pods.wait_synced()
        while True:
            self._schedule(await self._queue.pop())

    def _schedule(self, waiting: Waiting) -> None:
        pod = self._pods.get(*meta.split_key(waiting.key))
        if pod is None or not _wants_node(pod) or meta.uid(pod) != waiting.uid:
            self._queue.remove(waiting.key)
            return
        candidate = Candidate(pod, demand(pod))
        choice = select_node(candidate, self._state.nodes)
        if isinstance(choice, Diagnosis):
            self._queue.unschedulable(waiting, choice.events)
            message = choice.message(preemption_policy=candidate.spec.get("preemptionPolicy") or "")
            self._report(pod, "Unschedulable", message)
            return
        self._state.assume(pod, choice.name, candidate.demand)
        self._tasks.start(self._bind(pod, choice.name, waiting), name=f"bind-{waiting.key}")

    async def _bind(self, pod: Object, node: str, waiting: Waiting) -> None:
        namespace, name = meta.namespace(pod), meta.name(pod)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": meta.uid(pod)},
            "target": {"kind": "Node", "name": node},
        }
        try:
            async with self._slots:
                await self._client.create(PODS, binding, subresource="binding")
        except (ApiError, ConnectionLost) as error:
            self._binding_failed(pod, waiting, error)
            return
        self._queue.remove(waiting.key)
        message = f"Successfully assigned {namespace}/{name} to {node}"
        self._recorder.event(pod, "Normal", "Scheduled", message, action="Binding")

    def _binding_failed(self, pod: Object, waiting: Waiting, error: Exception) -> None:
        self._state.forget(pod)
        self._queue.happened(ClusterEvent.POD_GONE)
        self._queue.failed(waiting)
        if not isinstance(error, (NotFound, Conflict)):
            logger.warning("binding %s failed and is tried again: %s", waiting.key, error)
            self._report(pod, "SchedulerError", f"binding rejected: {error}")

    # Telling why not.

    def _report(self, pod: Object, reason: str, message: str) -> None:
        self._recorder.event(pod, "Warning", "FailedScheduling", message, action="Scheduling")
        self._tasks.start(self._set_condition(pod, reason, message), name=f"report-{meta.key(pod)}")

    async def _set_condition(self, pod: Object, reason: str, message: str) -> None:
        """Only on the pod as it was seen: it must not overwrite what a later binding says."""
        now = {"status": {"conditions": [*_conditions(pod)]}}
        text = {"reason": reason, "message": message}
        if not conditions.set_condition(now, "PodScheduled", "False", **text, now=self._clock.now()):
            return
        condition = conditions.find(now, "PodScheduled") or {}
        if generation := meta.metadata(pod).get("generation"):
            condition["observedGeneration"] = generation
        patch = {
            "metadata": {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)},
            "status": {"conditions": [condition]},
        }
        with suppress(ApiError, ConnectionLost):
            await self._client.patch(
                PODS,
                meta.name(pod),
                patch,
                namespace=meta.namespace(pod),
                subresource="status",
                content_type=STRATEGIC_PATCH,
            )


def _conditions(pod: Object) -> list[Object]:
    return [dict(condition) for condition in (pod.get("status") or {}).get("conditions") or []]


def _wants_node(pod: Object) -> bool:
    spec = pod.get("spec") or {}
    ours = (spec.get("schedulerName") or NAME) == NAME
    waits = not node_of(pod) and not meta.is_terminating(pod) and not is_finished(pod)
    return ours and waits and not spec.get("schedulingGates")


def _occupies(pod: Object) -> bool:
    return bool(node_of(pod)) and not is_finished(pod)


def start_scheduler(client: Client, *, clock: Clock | None = None) -> Scheduler:
    """Start scheduling in the background of the running event loop. The client stays the caller's."""
    scheduler = Scheduler(client, clock or SystemClock())
    scheduler.start()
    return scheduler
