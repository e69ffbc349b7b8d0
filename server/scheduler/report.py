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
        """Only on the pod as it was seen: it must not overwrite what a binding says meanwhile.

        `nominated` is the node that the pod waits for; "" takes that back, None leaves it.
        """
        for _ in range(_TRIES):
            current = self._pods.get(pod.namespace, pod.name)
            if current is None or meta.uid(current) != pod.uid or node_of(current):
                return
            status = self._changes(current, reason, message, nominated)
            if not status:
                return
            with suppress(Conflict):
                await self._patch(current, status)
                return

    def _changes(self, pod: Object, reason: str, message: str, nominated: str | None) -> Object:
        status: Object = {}
        was = (pod.get("status") or {}).get("nominatedNodeName") or ""
        if nominated is not None and nominated != was:
            status["nominatedNodeName"] = nominated or None
        condition = changed_condition(pod, "PodScheduled", "False", reason, message, self._clock)
        if condition is not None:
            status["conditions"] = [condition]
        return status

    async def _patch(self, pod: Object, status: Object) -> None:
        """Raises Conflict; what else fails is told by the next try to schedule the pod."""
        patch = {
            "metadata": {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)},
            "status": status,
        }
        try:
            await patch_status(self._client, pod, patch)
        except Conflict:
            raise
        except (ApiError, ConnectionLost):
            return


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
