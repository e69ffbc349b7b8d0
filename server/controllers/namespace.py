"""Empties namespaces that are being deleted, then lets them go. The key is the namespace.

Active ── delete ──> Terminating ── content deleted, pods first ──> finalized ──> gone
                         └── something is left: say what, look again ──┘
"""

import copy
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result, TemporaryError
from kubeling.client.resources import NAMESPACES, PODS
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.namespace_content import Remains, delete_content
from server.controllers.namespace_status import set_conditions

FINALIZER = "kubernetes"
WORKERS = 4


def make(context: Context) -> Controller:
    lifecycle = NamespaceLifecycle(context)
    runner = ControllerRunner(
        "namespace-controller", lifecycle.reconcile, clock=context.clock, workers=WORKERS
    )
    runner.watches(
        lifecycle.namespaces, lambda space: meta.name(space) if meta.is_terminating(space) else None
    )

    def pod_gone(kind: str, pod: Object, _: Object | None) -> None:
        space = lifecycle.namespaces.get("", meta.namespace(pod))
        if kind == "DELETED" and space is not None and meta.is_terminating(space):
            runner.queue.add(meta.namespace(pod))

    context.client.informer(PODS).add_handler(pod_gone)
    return runner


class NamespaceLifecycle:
    def __init__(self, context: Context) -> None:
        self.namespaces = context.client.informer(NAMESPACES)
        self._client = context.client
        self._clock = context.clock

    async def reconcile(self, name: str) -> Result:
        try:
            space = await self._client.get(NAMESPACES, name)
        except NotFound:
            return DONE
        if not meta.is_terminating(space) or FINALIZER not in _finalizers(space):
            return DONE
        remains = await self._empty(space)
        if remains.failures:
            raise TemporaryError("; ".join(remains.failures))
        if remains.resources:
            return Result(requeue_after=remains.estimate / 2 + 1)
        await self._finalize(name)
        return DONE

    async def _empty(self, space: Object) -> Remains:
        try:
            remains = await delete_content(self._client, meta.name(space))
        except ApiError as error:
            await self._tell(space, Remains(), discovery_error=str(error))
            raise
        await self._tell(space, remains)
        return remains

    async def _tell(self, space: Object, remains: Remains, *, discovery_error: str = "") -> None:
        fresh = copy.deepcopy(space)
        fresh.setdefault("status", {})["phase"] = "Terminating"
        if set_conditions(fresh, remains, discovery_error=discovery_error, now=self._clock.now()):
            await self._client.update(NAMESPACES, fresh, subresource="status")

    async def _finalize(self, name: str) -> None:
        with suppress(NotFound):
            space = await self._client.get(NAMESPACES, name)
            space["spec"]["finalizers"] = [each for each in _finalizers(space) if each != FINALIZER]
            await self._client.update(NAMESPACES, space, subresource="finalize")


def _finalizers(space: Object) -> list[str]:
    return (space.get("spec") or {}).get("finalizers") or []
