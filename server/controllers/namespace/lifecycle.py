"""Empties namespaces that are being deleted, then lets them go. The key is the namespace.

Active ── delete ──> Terminating ── content deleted, pods first ──> finalized ──> gone
                         └── something is left: say what, wait for its end ──┘
"""

import copy
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result, TemporaryError
from kubeling.client.resources import NAMESPACES
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.namespace.content import Remains, delete_content
from server.controllers.namespace.leftovers import Leftovers
from server.controllers.namespace.status import discovery_text, set_conditions

FINALIZER = "kubernetes"
WORKERS = 10
FIRST_DELAY, LONGEST_DELAY = 0.005, 60.0
"""Seconds until a namespace that cannot be emptied is tried again; twice as many each time."""


def make(context: Context) -> Controller:
    lifecycle = NamespaceLifecycle(context)
    runner = ControllerRunner(
        "namespace-controller", lifecycle.reconcile, clock=context.clock, workers=WORKERS
    )
    lifecycle.leftovers = Leftovers(context.client, runner.queue.add)
    runner.watches(
        lifecycle.namespaces, lambda space: meta.name(space) if meta.is_terminating(space) else None
    )
    return runner


class NamespaceLifecycle:
    leftovers: Leftovers

    def __init__(self, context: Context) -> None:
        self.namespaces = context.client.informer(NAMESPACES)
        self._client = context.client
        self._clock = context.clock
        self._failures: dict[str, int] = {}

    async def reconcile(self, name: str) -> Result:
        try:
            space = await self._client.get(NAMESPACES, name)
        except NotFound:
            self._forget(name)
            return DONE
        if not meta.is_terminating(space) or FINALIZER not in _finalizers(space):
            return DONE
        remains = await self._empty(space)
        if remains.failures or remains.undiscovered:
            raise self._retry(name, remains)
        self._failures.pop(name, None)
        if remains.objects:
            self.leftovers.wait(name, remains.objects)
            return Result(requeue_after=remains.estimate / 2 + 1)
        await self._finalize(name)
        return DONE

    async def _empty(self, space: Object) -> Remains:
        try:
            remains = await delete_content(self._client, space, now=self._clock.now())
        except ApiError as error:
            await self._tell(space, Remains(), discovery_error=str(error))
            raise
        await self._tell(space, remains, discovery_error=discovery_text(remains.undiscovered))
        return remains

    async def _tell(self, space: Object, remains: Remains, *, discovery_error: str) -> None:
        fresh = copy.deepcopy(space)
        fresh.setdefault("status", {})["phase"] = "Terminating"
        if set_conditions(fresh, remains, discovery_error=discovery_error, now=self._clock.now()):
            await self._client.update(NAMESPACES, fresh, subresource="status")

    def _retry(self, name: str, remains: Remains) -> TemporaryError:
        """Of what is left its end is waited for, too: it may be all that was wrong."""
        if remains.objects:
            self.leftovers.wait(name, remains.objects)
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        delay = min(FIRST_DELAY * 2 ** min(failures - 1, 20), LONGEST_DELAY)
        return TemporaryError("; ".join([*remains.failures, *remains.undiscovered.values()]), delay=delay)

    async def _finalize(self, name: str) -> None:
        with suppress(NotFound):
            space = await self._client.get(NAMESPACES, name)
            space["spec"]["finalizers"] = [each for each in _finalizers(space) if each != FINALIZER]
            await self._client.update(NAMESPACES, space, subresource="finalize")
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.leftovers.forget(name)
        self._failures.pop(name, None)


def _finalizers(space: Object) -> list[str]:
    return (space.get("spec") or {}).get("finalizers") or []
