"""The scheduling loop: one pod at a time is given a node; bindings and reports go on in the background.

Deciding never waits for anything but extenders, so the time from a pod's creation to its binding is that of
one write.
"""

import asyncio
import logging
import platform

from kubeling.client import Client, ConnectionLost, EventRecorder
from kubeling.client.resources import NAMESPACES, NODES, PODS
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import ApiError
from kubeling.objects.tasks import Tasks
from server.scheduler.binding import Bindings
from server.scheduler.cluster_state import ClusterState
from server.scheduler.configuration import Configuration, standard
from server.scheduler.cycle import Cycle, best
from server.scheduler.diagnosis import Diagnosis
from server.scheduler.eviction import Evictions
from server.scheduler.extender import Extender, ExtenderError
from server.scheduler.handles import Handles
from server.scheduler.news import News
from server.scheduler.node_state import NodeState
from server.scheduler.nominations import Nominations
from server.scheduler.plugins.default_preemption import Candidate
from server.scheduler.pod_info import PodInfo, scheduler_of
from server.scheduler.profiles import made_profiles
from server.scheduler.queue import SchedulingQueue, Waiting, Wakes
from server.scheduler.report import Reports

logger = logging.getLogger(__name__)


class Scheduler:
    """Schedules the pods whose schedulerName is that of a profile."""

    def __init__(self, client: Client, clock: Clock, configuration: Configuration) -> None:
        self._client = client
        self._pods = client.informer(PODS)
        self._nodes = client.informer(NODES)
        self._namespaces = client.informer(NAMESPACES)
        self._handles = Handles.of(client, clock)
        self._profiles = made_profiles(configuration, self._handles)
        self._extenders = [Extender(each, self._pods) for each in configuration.extenders]
        self._recorders = {
            name: EventRecorder(client, name, clock=clock, instance=f"{name}-{platform.node()}")
            for name in self._profiles
        }
        self._cluster = ClusterState()
        self._nominations = Nominations()
        self._queue = SchedulingQueue(
            clock,
            self._wakes,
            first_backoff=configuration.first_backoff,
            longest_backoff=configuration.longest_backoff,
        )
        self._news = News(self._cluster, self._queue, self._nominations, self._profiles)
        self._reports = Reports(client, self._pods, clock)
        self._evictions = Evictions(client, self._pods, clock, self._nominations)
        self._tasks = Tasks("scheduler")
        self._bindings = Bindings(
            client, self._cluster, self._queue, self._reports, self._tasks, self._extenders
        )
        self._start_index = 0
        self._loop: asyncio.Task[None] | None = None
        self._deciding = False

    def start(self) -> None:
        """Begin in the background as soon as nodes and pods are known."""
        self._news.follow(
            pods=self._pods, nodes=self._nodes, namespaces=self._namespaces, handles=self._handles
        )
        self._loop = self._tasks.start(self._run(), name="loop")

    def health(self) -> str:
        """Why no pods are scheduled; an empty text while they are."""
        return "" if self._loop is not None and not self._loop.done() else "the scheduling loop has ended"

    @property
    def idle(self) -> bool:
        """Whether no pod is ready to be scheduled and nothing is under way; back-offs do not count, nor does
        waiting for volumes that others bind."""
        under_way = len(self._tasks) - self._bindings.waiting > 1
        return self._queue.idle and not under_way and not self._deciding

    async def stop(self) -> None:
        """Stop at once. A binding under way may or may not take effect; nothing is lost by either."""
        self._news.stop()
        await self._tasks.stop()
        await self._queue.close()
        for recorder in self._recorders.values():
            await recorder.close()
        for extender in self._extenders:
            await extender.close()

    def _wakes(self, name: str) -> Wakes:
        return self._profiles[name].wakes

    async def _run(self) -> None:
        for informer in (self._namespaces, self._nodes, self._pods):
            await informer.wait_synced()
        await self._handles.wait_synced()
        while True:
            waiting = await self._queue.pop()
            self._deciding = True
            try:
                await self._schedule(waiting)
            except Exception as error:
                logger.exception("scheduling %s failed and is tried again", waiting.key)
                self._fail(waiting, str(error))
            finally:
                self._deciding = False
            await asyncio.sleep(0)  # let others have the loop, however many pods wait

    async def _schedule(self, waiting: Waiting) -> None:
        pod = waiting.pod
        profile = self._profiles[scheduler_of(pod.pod)]
        cycle = Cycle(profile, pod, self._cluster, self._nominations)
        try:
            node = await self._chosen(cycle)
        except ExtenderError as error:
            self._fail(waiting, str(error))
            return
        if not self._queue.is_in_flight(waiting):
            return  # it has gone while an extender was asked
        if node is None:
            await self._refuse(waiting, cycle)
            return
        rejection = self._bindings.reserve(profile, pod, node)
        if rejection is not None:
            cycle.diagnosis.rejections[node.name] = rejection
            self._park(waiting, cycle.diagnosis)
            return
        self._nominations.drop(pod.key)
        self._bindings.start(profile, self._recorders[profile.name], waiting, node.name)

    async def _chosen(self, cycle: Cycle) -> NodeState | None:
        feasible = cycle.feasible(self._start_index)
        if cycle.looked_at and len(self._cluster.nodes) > cycle.looked_at:
            self._start_index = (self._start_index + cycle.looked_at) % len(self._cluster.nodes)
        interested = [each for each in self._extenders if each.is_interested(cycle.pod)]
        for extender in interested:
            feasible = await _filtered(extender, cycle, feasible)
        if not feasible:
            return None
        if len(feasible) == 1:
            return feasible[0]
        scores = cycle.scores(feasible)
        for extender in interested:
            scores = await _raised(extender, cycle, feasible, scores)
        chosen = best(feasible, scores)
        return chosen if chosen.node is not None else None

    # No node.

    async def _refuse(self, waiting: Waiting, cycle: Cycle) -> None:
        candidate = await self._preemption(cycle)
        if not self._queue.is_in_flight(waiting):
            return
        if candidate is None:
            self._park(waiting, cycle.diagnosis)
            return
        pod = waiting.pod
        displaced = self._evictions.displaced(pod, candidate.node)
        self._nominations.put(pod, candidate.node)
        self._tasks.start(
            self._preempt(waiting, cycle.diagnosis, candidate, displaced), name=f"preempt-{waiting.key}"
        )

    async def _preemption(self, cycle: Cycle) -> Candidate | None:
        """What preemption would do; why it does nothing is in the diagnosis."""
        preemption, diagnosis = cycle.profile.preemption, cycle.diagnosis
        if preemption is None or not diagnosis.total:
            return None
        diagnosis.preemption = preemption.ineligible(cycle)
        if diagnosis.preemption:
            return None
        candidates, diagnosis.preemption = await preemption.candidates(cycle)
        if not candidates:
            diagnosis.hopeless = True
            self._nominations.drop(cycle.pod.key)
            return None
        for extender in self._extenders:
            if candidates and extender.preempts and extender.is_interested(cycle.pod):
                candidates = await _narrowed(extender, cycle, candidates)
        return preemption.best(candidates) if candidates else None

    async def _preempt(
        self, waiting: Waiting, diagnosis: Diagnosis, candidate: Candidate, displaced: list[PodInfo]
    ) -> None:
        """The pod stays in flight meanwhile, so that it misses nothing of its victims' end."""
        pod, recorder = waiting.pod, self._recorders[scheduler_of(waiting.pod.pod)]
        message = diagnosis.message()
        self._reports.event(recorder, pod, message)
        try:
            await self._reports.condition(pod, "Unschedulable", message, nominated=candidate.node)
            await self._evictions.take_back(displaced)
            for other in displaced:
                self._queue.activate(other.key)
            await self._evictions.evict(pod, candidate, recorder)
        except (ApiError, ConnectionLost) as error:
            logger.warning("making room for %s failed and is tried again: %s", waiting.key, error)
            self._queue.failed(waiting)
            return
        self._queue.unschedulable(waiting, diagnosis.rejectors)

    def _park(self, waiting: Waiting, diagnosis: Diagnosis) -> None:
        message = diagnosis.message()
        self._queue.unschedulable(waiting, diagnosis.rejectors)
        self._report(waiting, "Unschedulable", message, nominated="" if diagnosis.hopeless else None)

    def _fail(self, waiting: Waiting, message: str) -> None:
        self._nominations.drop(waiting.key)
        self._queue.failed(waiting)
        self._report(waiting, "SchedulerError", message, nominated="")

    def _report(self, waiting: Waiting, reason: str, message: str, *, nominated: str | None = None) -> None:
        pod = waiting.pod
        self._reports.event(self._recorders[scheduler_of(pod.pod)], pod, message)
        self._tasks.start(
            self._reports.condition(pod, reason, message, nominated=nominated), name=f"report-{pod.key}"
        )


async def _filtered(extender: Extender, cycle: Cycle, nodes: list[NodeState]) -> list[NodeState]:
    if not nodes:
        return nodes
    try:
        left, rejections = await extender.filter(cycle.pod, nodes)
    except ExtenderError:
        if extender.ignorable:
            return nodes
        raise
    cycle.diagnosis.rejections |= rejections
    return cycle.present(left)


async def _raised(extender: Extender, cycle: Cycle, nodes: list[NodeState], scores: list[int]) -> list[int]:
    """An extender that cannot be asked for scores has no say in them."""
    try:
        points = await extender.prioritize(cycle.pod, nodes)
    except ExtenderError as error:
        logger.info("an extender does not score: %s", error)
        return scores
    return [score + points.get(node.name, 0) for node, score in zip(nodes, scores, strict=True)]


async def _narrowed(extender: Extender, cycle: Cycle, candidates: list[Candidate]) -> list[Candidate]:
    try:
        return await extender.preempt(cycle.pod, candidates)
    except ExtenderError:
        if extender.ignorable:
            return candidates
        raise


def start_scheduler(
    client: Client, *, clock: Clock | None = None, configuration: Configuration | None = None
) -> Scheduler:
    """Start scheduling in the background of the running event loop. The client stays the caller's."""
    scheduler = Scheduler(client, clock or SystemClock(), configuration or standard())
    scheduler.start()
    return scheduler
