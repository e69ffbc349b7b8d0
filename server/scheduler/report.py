"""Tells why a pod has no node: the event and the PodScheduled condition, with the node that it waits for."""

from contextlib import suppress

from kubeling.client import STRATEGIC_PATCH, Client, ConnectionLost, EventRecorder
from kubeling.client.protocol import Informer
from kubeling.client.resources import PODS
from kubeling.objects import conditions, meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, Conflict
from kubeling.objects.meta import Object
from server.scheduler.pod_info import PodInfo, node_of

_TRIES = 3


class Reports:
    def __init__(self, client: Client, pods: Informer, clock: Clock) -> None:
        self._client = client
        self._pods = pods
        self._clock = clock

    def event(self, recorder: EventRecorder, pod: PodInfo, message: str) -> None:
        recorder.event(pod.pod, "Warning", "FailedScheduling", message, action="Scheduling")

    async def condition(
        self, pod: PodInfo, reason: str, message: str, *, nominated: str | None = None
    ) -> None:
        """Only on a pod without a node: it must not overwrite what a binding says meanwhile.

        `nominated` is the node that the pod waits for; "" takes that back, None leaves it. What fails is
        told by the next try to schedule the pod.
        """
        with suppress(ApiError, ConnectionLost):
            await self._say(pod, reason, message, nominated)

    async def _say(self, pod: PodInfo, reason: str, message: str, nominated: str | None) -> None:
        current = self._pods.get(pod.namespace, pod.name)
        for _ in range(_TRIES):
            if current is None or meta.uid(current) != pod.uid or node_of(current):
                return
            status = self._changes(current, reason, message, nominated)
            if not status or await self._is_patched(current, status):
                return
            current = await self._client.get(PODS, pod.name, namespace=pod.namespace)

    def _changes(self, pod: Object, reason: str, message: str, nominated: str | None) -> Object:
        status: Object = {}
        was = (pod.get("status") or {}).get("nominatedNodeName") or ""
        if nominated is not None and nominated != was:
            status["nominatedNodeName"] = nominated or None
        condition = changed_condition(pod, "PodScheduled", "False", reason, message, self._clock)
        if condition is not None:
            status["conditions"] = [condition]
        return status

    async def _is_patched(self, pod: Object, status: Object) -> bool:
        """False when the pod has changed."""
        patch = {
            "metadata": {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)},
            "status": status,
        }
        try:
            await patch_status(self._client, pod, patch)
        except Conflict:
            return False
        return True


def changed_condition(
    pod: Object, kind: str, status: str, reason: str, message: str, clock: Clock
) -> Object | None:
    """The condition as it should be; None when it is so already."""
    present = [dict(each) for each in (pod.get("status") or {}).get("conditions") or ()]
    now: Object = {"status": {"conditions": present}}
    if not conditions.set_condition(now, kind, status, reason=reason, message=message, now=clock.now()):
        return None
    condition = conditions.find(now, kind) or {}
    if generation := meta.metadata(pod).get("generation"):
        condition["observedGeneration"] = generation
    return condition


async def patch_status(client: Client, pod: Object, patch: Object) -> None:
    """Raises ApiError, ConnectionLost."""
    await client.patch(
        PODS,
        meta.name(pod),
        patch,
        namespace=meta.namespace(pod),
        subresource="status",
        content_type=STRATEGIC_PATCH,
    )
