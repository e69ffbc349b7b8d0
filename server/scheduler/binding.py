"""From the decision to the binding: what is reserved, what is to be done before, and what if it fails."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from kubeling.client import Client, ConnectionLost, EventRecorder
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.tasks import Tasks
from server.scheduler.cluster_state import ClusterState
from server.scheduler.extender import Extender, ExtenderError
from server.scheduler.framework import Action, ClusterEvent, PreBindError, Rejection, Resources
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.default_binder import DefaultBinder, bind
from server.scheduler.pod_info import PodInfo
from server.scheduler.profile import Profile
from server.scheduler.queue import SchedulingQueue, Waiting
from server.scheduler.report import Reports, patch_status

logger = logging.getLogger(__name__)

AT_ONCE = 32
"""How many bindings may be under way; more wait, their pods being assumed on their nodes already."""


class Bindings:
    def __init__(
        self,
        client: Client,
        cluster: ClusterState,
        queue: SchedulingQueue,
        reports: Reports,
        tasks: Tasks,
        extenders: Sequence[Extender],
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._queue = queue
        self._reports = reports
        self._tasks = tasks
        self._binders = [each for each in extenders if each.binds]
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0
        """How many pods wait for what others have to do before they can be bound."""

    def reserve(self, profile: Profile, pod: PodInfo, node: NodeState) -> Rejection | None:
        """Take what the pod needs at the node; a rejection when that is gone."""
        for plugin in profile.reserving:
            rejection = plugin.reserve(pod, node)
            if rejection is not None:
                self._unreserve(profile, pod)
                return rejection
        self._cluster.assume(pod, node.name)
        return None

    def _unreserve(self, profile: Profile, pod: PodInfo) -> None:
        for plugin in reversed(profile.reserving):
            plugin.unreserve(pod)

    def start(self, profile: Profile, recorder: EventRecorder, waiting: Waiting, node: str) -> None:
        self._tasks.start(self._run(profile, recorder, waiting, node), name=f"bind-{waiting.key}")

    async def _run(self, profile: Profile, recorder: EventRecorder, waiting: Waiting, node: str) -> None:
        pod = waiting.pod
        try:
            await self._pre_bind(profile, pod, node)
            async with self._slots:
                await self._bind(pod, node)
        except (ApiError, ConnectionLost, PreBindError, ExtenderError) as error:
            self._failed(profile, recorder, waiting, error)
            return
        self._queue.remove(waiting.key)
        message = f"Successfully assigned {pod.key} to {node}"
        recorder.event(pod.pod, "Normal", "Scheduled", message, action="Binding")

    async def _pre_bind(self, profile: Profile, pod: PodInfo, node: str) -> None:
        busy = [plugin for plugin in profile.pre_binding if plugin.needs_pre_bind(pod)]
        if not busy:
            return
        self.waiting += 1
        try:
            await self._expect(pod, node)
            for plugin in busy:
                with _named("PreBind", plugin.name):
                    await plugin.pre_bind(pod, node)
        finally:
            self.waiting -= 1

    async def _expect(self, pod: PodInfo, node: str) -> None:
        """Say where the pod is going to be, since that takes a while; it does not matter if this fails."""
        with suppress(ApiError, ConnectionLost):
            await patch_status(self._client, pod.pod, {"status": {"nominatedNodeName": node}})

    async def _bind(self, pod: PodInfo, node: str) -> None:
        binder = next((each for each in self._binders if each.is_interested(pod)), None)
        if binder is not None:
            await binder.bind(pod, node)
        else:
            await bind(self._client, pod, node)

    def _failed(self, profile: Profile, recorder: EventRecorder, waiting: Waiting, error: Exception) -> None:
        pod = waiting.pod
        self._unreserve(profile, pod)
        self._cluster.forget(pod)
        self._queue.happened(ClusterEvent(Resources.ASSIGNED_POD, Action.DELETE, pod.pod, None))
        self._queue.failed(waiting)
        if isinstance(error, (NotFound, Conflict)):
            return
        logger.warning("binding %s failed and is tried again: %s", waiting.key, error)
        message = str(error)
        if isinstance(error, (ApiError, ConnectionLost)):
            message = f'running Bind plugin "{DefaultBinder.name}": {error}'
        self._reports.event(recorder, pod, message)
        condition = self._reports.condition(pod, "SchedulerError", message, nominated="")
        self._tasks.start(condition, name=f"report-{pod.key}")


@contextmanager
def _named(point: str, plugin: str) -> Iterator[None]:
    """Errors say which plug-in they come from."""
    try:
        yield
    except (ApiError, ConnectionLost, PreBindError) as error:
        raise PreBindError(f'running {point} plugin "{plugin}": {error}') from error
