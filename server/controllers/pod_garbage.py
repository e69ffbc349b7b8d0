"""Removes pods that no node will ever finish: of nodes that are gone, and deleted before they had one.

The key is the pod. A node that is missing may be coming back: its pods are spared for a quarantine first.
"""

import copy
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.resources import NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

FINISHED = ("Succeeded", "Failed")


def make(context: Context) -> Controller:
    collector = PodGarbageCollector(context)
    runner = ControllerRunner("pod-garbage-collector-controller", collector.reconcile, clock=context.clock)
    runner.watches(collector.pods, lambda pod: meta.key(pod) if collector.suspects(pod) else None)
    runner.reads(collector.nodes)

    def node_changed(kind: str, node: Object, _: Object | None) -> None:
        if kind == "DELETED":
            for pod in collector.pods.list():
                if _node(pod) == meta.name(node):
                    runner.queue.add(meta.key(pod))

    collector.nodes.add_handler(node_changed)
    return runner


class PodGarbageCollector:
    def __init__(self, context: Context) -> None:
        self.pods: Informer = context.client.informer(PODS)
        self.nodes: Informer = context.client.informer(NODES)
        self._client = context.client
        self._clock = context.clock
        self._quarantine = context.settings.orphan_quarantine
        self._missing_since: dict[str, float] = {}

    def suspects(self, pod: Object) -> bool:
        """Whether the pod has no node to end it."""
        node = _node(pod)
        return self.nodes.get("", node) is None if node else meta.is_terminating(pod)

    async def reconcile(self, key: str) -> Result:
        pod = self.pods.get(*meta.split_key(key))
        if pod is None or not self.suspects(pod):
            self._missing_since.pop(key, None)
            return DONE
        if _node(pod):
            waiting = self._remaining_quarantine(key)
            if waiting > 0:
                return Result(requeue_after=waiting)
            if await self._node_exists(_node(pod)):
                self._missing_since.pop(key, None)
                return DONE
            await self._mark_failed(pod)
        await self._delete(pod)
        self._missing_since.pop(key, None)
        return DONE

    def _remaining_quarantine(self, key: str) -> float:
        now = self._clock.monotonic()
        return self._missing_since.setdefault(key, now) + self._quarantine - now

    async def _node_exists(self, name: str) -> bool:
        try:
            await self._client.get(NODES, name)
        except NotFound:
            return False
        return True

    async def _mark_failed(self, pod: Object) -> None:
        if (pod.get("status") or {}).get("phase") in FINISHED:
            return
        fresh = copy.deepcopy(pod)
        conditions.set_condition(
            fresh,
            "DisruptionTarget",
            "True",
            reason="DeletionByPodGC",
            message="PodGC: node no longer exists",
            now=self._clock.now(),
        )
        patch = {
            "metadata": {"uid": meta.uid(pod), "resourceVersion": pod["metadata"]["resourceVersion"]},
            "status": {"phase": "Failed", "conditions": fresh["status"]["conditions"]},
        }
        with suppress(NotFound):
            await self._client.patch(
                PODS, meta.name(pod), patch, namespace=meta.namespace(pod), subresource="status"
            )

    async def _delete(self, pod: Object) -> None:
        with suppress(NotFound):
            await self._client.delete(
                PODS,
                meta.name(pod),
                namespace=meta.namespace(pod),
                grace_period_seconds=0,
                preconditions={"uid": meta.uid(pod)},
            )


def _node(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")
