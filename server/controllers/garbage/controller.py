"""Puts the collector together, and starts it when it knows all there is."""

import asyncio

from kubeling.client import ControllerRunner
from kubeling.client.runner import Reconcile
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.controllers.context import Context, Controller
from server.controllers.garbage.absent import AbsentOwners
from server.controllers.garbage.collector import Collector
from server.controllers.garbage.graph import Graph
from server.controllers.garbage.identity import Coordinates
from server.controllers.garbage.kinds import Kinds
from server.controllers.garbage.monitors import Monitors
from server.controllers.garbage.node import Node
from server.controllers.garbage.objects import Objects
from server.controllers.garbage.orphaning import Orphaning

COMPONENT = "garbage-collector-controller"
WORKERS, ORPHAN_WORKERS = 64, 5
LONGEST_SYNC = 30.0
"""Seconds after which it begins, though some resource cannot be listed."""
_RESOURCES = "resources"
"""The one key of the monitors."""


def make(context: Context) -> Controller:
    return GarbageCollector(context)


class GarbageCollector:
    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._recorder = context.recorder(COMPONENT)
        absent, kinds = AbsentOwners(), Kinds()
        runner = self._runner("attempts", WORKERS, lambda uid: collector.reconcile(uid))
        orphan_runner = self._runner("orphaning", ORPHAN_WORKERS, lambda uid: orphaning.reconcile(uid))
        attempt, orphan = runner.queue.add, orphan_runner.queue.add
        self.graph = Graph(attempt=attempt, orphan=orphan, report=self._report, absent=absent)
        monitors = Monitors(context.client, self.graph, kinds, lambda: collector.try_unresolved())
        objects = Objects(context.client, monitors.informer)
        collector = Collector(self.graph, kinds, objects, absent, attempt)
        orphaning = Orphaning(self.graph, objects)
        self._monitors = monitors
        self._watching = self._runner("monitors", 1, monitors.reconcile)
        self._watching.watches(monitors.definitions, lambda _: _RESOURCES)
        self._watching.watches(monitors.api_services, _of_another_server)
        self._acting = (runner, orphan_runner)
        self._tasks = Tasks(COMPONENT)
        self._begun = False

    @property
    def idle(self) -> bool:
        return self._begun and all(each.idle for each in (self._watching, *self._acting))

    def start(self) -> None:
        self._tasks.start(self._begin(), name="begin")

    async def stop(self) -> None:
        await self._tasks.stop()
        for each in (self._watching, *self._acting):
            await each.stop()

    async def _begin(self) -> None:
        """Nothing is decided before all dependents are known: an owner would go without them."""
        self._watching.queue.add(_RESOURCES)
        self._watching.start()
        await self._monitors.discovered.wait()
        synced = self._tasks.start(self._monitors.wait_synced(), name="sync")
        given_up = self._tasks.start(self._clock.sleep(LONGEST_SYNC), name="patience")
        await asyncio.wait((synced, given_up), return_when=asyncio.FIRST_COMPLETED)
        for task in (synced, given_up):
            task.cancel()
        for runner in self._acting:
            runner.start()
        self._begun = True

    def _runner(self, name: str, workers: int, reconcile: Reconcile) -> ControllerRunner:
        return ControllerRunner(f"{COMPONENT}-{name}", reconcile, clock=self._clock, workers=workers)

    def _report(self, node: Node, stated: Coordinates) -> None:
        identity = node.identity
        child = {
            "apiVersion": identity.api_version,
            "kind": identity.kind,
            "metadata": {"namespace": identity.namespace, "name": identity.name, "uid": identity.uid},
        }
        text = f'ownerRef {stated} does not exist in namespace "{stated.namespace}"'
        self._recorder.event(child, "Warning", "OwnerRefInvalidNamespace", text)


def _of_another_server(api_service: Object) -> str | None:
    return _RESOURCES if (api_service.get("spec") or {}).get("service") else None
