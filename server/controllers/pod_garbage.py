"""Removes pods that no node will ever finish, and the oldest of very many that have ended.

The key is the pod, or ENDED for all pods that have. A node that is missing may be coming back: its pods are
spared for a quarantine first.
"""

import copy
from contextlib import suppress
from typing import Any

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.index import Index, by_node
from kubeling.client.resources import NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.owned.pods import is_finished, node_of

ENDED = "the pods that have ended"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
PERIOD = 20.0
"""Seconds between two countings of the pods that have ended."""
WORKERS = 4


def make(context: Context) -> Controller:
    collector = PodGarbageCollector(context)
    return collector.runner


class PodGarbageCollector:
    def __init__(self, context: Context) -> None:
        self._pods: Informer = context.client.informer(PODS)
        self._nodes: Informer = context.client.informer(NODES)
        self._on_node = Index.shared(self._pods, by_node)
        self._client = context.client
        self._clock = context.clock
        self._settings = context.settings
        self._missing_since: dict[str, float] = {}
        self._ended: set[str] = set()
        self.runner = ControllerRunner(
            "pod-garbage-collector-controller", self._reconcile, clock=context.clock, workers=WORKERS
        )
        self._pods.add_handler(self._pod_changed)
        self._nodes.add_handler(self._node_changed)
        self.runner.reads(self._pods)
        self.runner.reads(self._nodes)

    def _pod_changed(self, kind: str, pod: Object, _: Object | None) -> None:
        key = meta.key(pod)
        if kind == "DELETED":
            self._ended.discard(key)
            self._missing_since.pop(key, None)
            return
        if is_finished(pod):
            self._ended.add(key)
            if self._surplus() > 0:
                self.runner.queue.add_after(ENDED, PERIOD)
        if self._suspects(pod):
            self.runner.queue.add(key)

    def _node_changed(self, kind: str, node: Object, _: Object | None) -> None:
        if kind == "DELETED" or _is_out_of_service(node):
            for pod in self._on_node.get(meta.name(node)):
                self.runner.queue.add(meta.key(pod))

    def _suspects(self, pod: Object) -> bool:
        """Whether the pod has no node to end it."""
        node = self._nodes.get("", name) if (name := node_of(pod)) else None
        if not meta.is_terminating(pod):
            return bool(name) and node is None
        return node is None or _is_out_of_service(node)

    def _surplus(self) -> int:
        threshold = self._settings.terminated_pod_threshold
        return len(self._ended) - threshold if threshold > 0 else 0

    async def _reconcile(self, key: str) -> Result:
        if key == ENDED:
            await self._reduce()
            return DONE
        pod = self._pods.get(*meta.split_key(key))
        if pod is None or not self._suspects(pod):
            self._missing_since.pop(key, None)
            return DONE
        orphaned = bool(node_of(pod)) and self._nodes.get("", node_of(pod)) is None
        if orphaned and (waiting := self._remaining_quarantine(key)) > 0:
            return Result(requeue_after=waiting)
        if orphaned and await self._node_exists(node_of(pod)):
            self._missing_since.pop(key, None)
            return DONE
        await self._mark_failed(pod, orphaned=orphaned)
        await self._delete(pod)
        self._missing_since.pop(key, None)
        return DONE

    async def _reduce(self) -> None:
        """Those that were evicted go first, then the oldest."""
        surplus = self._surplus()
        if surplus <= 0:
            return
        found = (self._pods.get(*meta.split_key(key)) for key in self._ended)
        for pod in sorted((pod for pod in found if pod is not None), key=_dispensability)[:surplus]:
            await self._delete(pod)

    def _remaining_quarantine(self, key: str) -> float:
        now = self._clock.monotonic()
        return self._missing_since.setdefault(key, now) + self._settings.orphan_quarantine - now

    async def _node_exists(self, name: str) -> bool:
        try:
            await self._client.get(NODES, name)
        except NotFound:
            return False
        return True

    async def _mark_failed(self, pod: Object, *, orphaned: bool) -> None:
        if is_finished(pod):
            return
        status: dict[str, Any] = {"phase": "Failed"}
        if orphaned:
            fresh = copy.deepcopy(pod)
            conditions.set_condition(
                fresh,
                "DisruptionTarget",
                "True",
                reason="DeletionByPodGC",
                message="PodGC: node no longer exists",
                now=self._clock.now(),
            )
            status["conditions"] = fresh["status"]["conditions"]
        unchanged = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
        with suppress(NotFound):
            await self._client.patch(
                PODS,
                meta.name(pod),
                {"metadata": unchanged, "status": status},
                namespace=meta.namespace(pod),
                subresource="status",
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


def _is_out_of_service(node: Object) -> bool:
    """Somebody has said that it will not come back, and it does not contradict."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return any(taint.get("key") == OUT_OF_SERVICE for taint in taints) and not conditions.is_true(
        node, "Ready"
    )


def _dispensability(pod: Object) -> tuple[bool, str, str]:
    evicted = (pod.get("status") or {}).get("reason") == "Evicted"
    return not evicted, str(meta.metadata(pod).get("creationTimestamp")), meta.name(pod)
