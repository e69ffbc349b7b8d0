"""Makes the room that preemption has chosen: says so of the victims, deletes them, and takes back the
prospects of less important pods that were waiting for the same node."""

import asyncio
import logging

from kubeling.client import Client, ConnectionLost, EventRecorder
from kubeling.client.protocol import Informer
from kubeling.client.resources import PODS
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, NotFound
from server.scheduler.nominations import Nominations
from server.scheduler.placed_pod import BY_SCHEDULER, PlacedPod
from server.scheduler.plugins.default_preemption import Candidate
from server.scheduler.pod_info import PodInfo, scheduler_of
from server.scheduler.report import changed_condition, patch_status

logger = logging.getLogger(__name__)


class Evictions:
    def __init__(self, client: Client, pods: Informer, clock: Clock, nominations: Nominations) -> None:
        self._client = client
        self._pods = pods
        self._clock = clock
        self._nominations = nominations

    def displaced(self, pod: PodInfo, node: str) -> list[PodInfo]:
        """Less important pods that were waiting for the node, and do so no more."""
        lesser = [other for other in self._nominations.on(node) if other.priority < pod.priority]
        for other in lesser:
            self._nominations.drop(other.key)
        return lesser

    async def take_back(self, displaced: list[PodInfo]) -> None:
        for pod in displaced:
            try:
                await patch_status(self._client, pod.pod, {"status": {"nominatedNodeName": None}})
            except (ApiError, ConnectionLost) as error:
                logger.debug("%s still says that it waits for a node: %s", pod.key, error)

    async def evict(self, pod: PodInfo, candidate: Candidate, recorder: EventRecorder) -> None:
        """Raises ApiError, ConnectionLost: not all of the victims could be told to go."""
        staying = [victim for victim in candidate.victims if not victim.terminating]
        await asyncio.gather(*(self._evict(pod, victim, candidate.node, recorder) for victim in staying))

    async def _evict(self, pod: PodInfo, victim: PlacedPod, node: str, recorder: EventRecorder) -> None:
        message = f"{scheduler_of(pod.pod)}: preempting to accommodate a higher priority pod"
        current = self._pods.get(victim.namespace, victim.name)
        if current is None or meta.uid(current) != victim.uid:
            return
        condition = changed_condition(current, "DisruptionTarget", "True", BY_SCHEDULER, message, self._clock)
        try:
            if condition is not None:
                patch = {"metadata": {"uid": victim.uid}, "status": {"conditions": [condition]}}
                await patch_status(self._client, current, patch)
            await self._client.delete(
                PODS, victim.name, namespace=victim.namespace, preconditions={"uid": victim.uid}
            )
        except NotFound:
            return
        told = f"Preempted by pod {pod.uid} on node {node}"
        recorder.event(current, "Normal", "Preempted", told, action="Preempting")
