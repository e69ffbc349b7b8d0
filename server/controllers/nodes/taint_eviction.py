"""Deletes the pods that do not tolerate a node's NoExecute taints, at once or when their time there is up.

The key is the pod. A pod's time begins when it is first seen on the tainted node and is as long as the
shortest tolerationSeconds of the tolerations that cover the taints.
"""

import copy
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.index import Index, by_node
from kubeling.client.resources import NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from kubeling.objects.taints import tolerates
from server.controllers.context import Context, Controller

COMPONENT = "taint-eviction-controller"
WORKERS = 8


def make(context: Context) -> Controller:
    eviction = TaintEviction(context)
    return eviction.runner


class TaintEviction:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder(COMPONENT)
        self._taints: dict[str, list[Object]] = {}
        """The NoExecute taints of each node that has some."""
        self._leaving: dict[str, tuple[str, float]] = {}
        """By the keys of the pods whose time runs: their uids, and since when."""
        self._nodes = context.client.informer(NODES)
        self._pods = context.client.informer(PODS)
        self._on_node = Index.shared(self._pods, by_node)
        self.runner = ControllerRunner(COMPONENT, self._reconcile, clock=context.clock, workers=WORKERS)
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)
        self.runner.reads(self._nodes)
        self.runner.reads(self._pods)

    def _node_changed(self, kind: str, node: Object, _: Object | None) -> None:
        name = meta.name(node)
        taints = _no_execute(node) if kind != "DELETED" else []
        if taints == self._taints.get(name, []):
            return
        if taints:
            self._taints[name] = taints
        else:
            del self._taints[name]
        for pod in self._on_node.get(name):
            self.runner.queue.add(meta.key(pod))

    def _pod_changed(self, kind: str, pod: Object, _: Object | None) -> None:
        if not self._taints and not self._leaving:
            return
        if _node(pod) in self._taints or meta.key(pod) in self._leaving:
            self.runner.queue.add(meta.key(pod))

    async def _reconcile(self, key: str) -> Result:
        pod = self._pods.get(*meta.split_key(key))
        if pod is None or meta.is_terminating(pod):
            self._leaving.pop(key, None)
            return DONE
        allowed = _seconds_allowed(pod, self._taints.get(_node(pod), []))
        if allowed is None:
            self._stay(key, pod)
            return DONE
        now = self._clock.monotonic()
        uid, since = self._leaving.get(key, ("", now))
        if uid != meta.uid(pod):
            since = now
        self._leaving[key] = (meta.uid(pod), since)
        if since + allowed > now:
            return Result(requeue_after=since + allowed - now)
        await self._evict(pod)
        self._leaving.pop(key, None)
        return DONE

    def _stay(self, key: str, pod: Object) -> None:
        uid, _ = self._leaving.pop(key, ("", 0.0))
        if uid == meta.uid(pod) and self._nodes.get("", _node(pod)) is not None:
            self._say(pod, f"Cancelling deletion of Pod {key}")

    def _say(self, pod: Object, message: str) -> None:
        self._recorder.event(pod, "Normal", "TaintManagerEviction", message)

    async def _evict(self, pod: Object) -> None:
        fresh = copy.deepcopy(pod)
        marked = conditions.set_condition(
            fresh,
            "DisruptionTarget",
            "True",
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
            now=self._clock.now(),
        )
        namespace, name = meta.namespace(pod), meta.name(pod)
        with suppress(NotFound):
            if marked:
                patch = {
                    "metadata": {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)},
                    "status": {"conditions": fresh["status"]["conditions"]},
                }
                await self._client.patch(PODS, name, patch, namespace=namespace, subresource="status")
            self._say(pod, f"Marking for deletion Pod {meta.key(pod)}")
            unchanged = {"uid": meta.uid(pod)}
            await self._client.delete(PODS, name, namespace=namespace, preconditions=unchanged)


def _seconds_allowed(pod: Object, taints: list[Object]) -> float | None:
    """How long the pod may stay on a node with these taints; None: for ever."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or ()
    allowed: list[float] = []
    for taint in taints:
        covering = next((each for each in tolerations if tolerates([each], taint)), None)
        if covering is None:
            return 0.0
        if covering.get("tolerationSeconds") is not None:
            allowed.append(max(0.0, float(covering["tolerationSeconds"])))
    return min(allowed) if allowed else None


def _no_execute(node: Object) -> list[Object]:
    taints = (node.get("spec") or {}).get("taints") or ()
    return [taint for taint in taints if taint.get("effect") == "NoExecute"]


def _node(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")
