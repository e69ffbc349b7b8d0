"""Reads a DaemonSet, brings its pods closer to what it asks for, node by node, and writes its status."""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from itertools import islice

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.index import Index, orphans
from kubeling.client.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.daemon_set import rolling
from server.controllers.daemon_set.assessment import Plan, assess
from server.controllers.daemon_set.fleet import Fleet
from server.controllers.daemon_set.history import DaemonHistory
from server.controllers.daemon_set.placement import Placement, same_to_daemons
from server.controllers.daemon_set.status import status_of
from server.controllers.daemon_set.template import GENERATION, new_pod, target_node
from server.controllers.owned.expectations import Expectations
from server.controllers.owned.leaving import unless_namespace_goes
from server.controllers.owned.ownership import Claim
from server.controllers.owned.pod_control import PodControl
from server.controllers.owned.pods import phase
from server.controllers.owned.slow_start import slow_start
from server.controllers.owned.waking import concerned, selector_of

WORKERS = 2
BURST = 250
"""How many pods are made, and how many deleted, before the outcome is looked at."""
_BREATH = 100
"""How many nodes are assessed before others get a turn in the event loop."""


def make(context: Context) -> Controller:
    controller = DaemonSetController(context)
    runner = controller.runner
    runner.watches(controller.sets)
    controller.pods.add_handler(controller.pod_changed)
    controller.nodes.add_handler(controller.node_changed)
    controller.revisions.add_handler(controller.revision_changed)
    for informer in (controller.pods, controller.nodes, controller.revisions):
        runner.reads(informer)
    return runner


class DaemonSetController:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder("daemonset-controller")
        self._pod_control = PodControl(context.client, self._recorder)
        self._expectations = Expectations(context.clock)
        self._fleets: dict[str, Fleet] = {}
        self.sets = context.client.informer(DAEMON_SETS)
        self.pods = context.client.informer(PODS)
        self.nodes = context.client.informer(NODES)
        self.revisions = context.client.informer(CONTROLLER_REVISIONS)
        self._index = Index(self.pods, _files)
        self._history = DaemonHistory(context.client, self.revisions)
        self.runner = ControllerRunner(
            "daemonset-controller",
            unless_namespace_goes(self.reconcile),
            clock=context.clock,
            workers=WORKERS,
        )

    # What happens.

    def wake(self, set_: Object) -> None:
        self.runner.queue.add(meta.key(set_))

    def pod_changed(self, change: str, pod: Object, old: Object | None) -> None:
        for set_ in concerned(self.sets, DAEMON_SETS.kind, change, pod, old):
            key = meta.key(set_)
            if meta.controller_of(pod) is not None:
                self._account(key, change, pod, old)
            if (fleet := self._fleets.get(key)) is not None:
                fleet.touch(target_node(pod))
                fleet.touch(target_node(old or {}))
                if meta.controller_of(pod) is None:
                    fleet.orphans.add(meta.key(pod))
                fleet.forget_adoption(target_node(pod), pod)
            self.wake(set_)

    def revision_changed(self, change: str, revision: Object, old: Object | None) -> None:
        """One that comes with its owner was made by us, or is left alone until there is more to look at."""
        if change == "ADDED" and meta.controller_of(revision) is not None:
            return
        for set_ in concerned(self.sets, DAEMON_SETS.kind, change, revision, old):
            self.wake(set_)

    def node_changed(self, change: str, node: Object, old: Object | None) -> None:
        if change == "MODIFIED" and old is not None and same_to_daemons(node, old):
            return
        for key, fleet in self._fleets.items():
            if meta.name(node) in fleet or (change != "DELETED" and fleet.plan.placement.fit(node).stay):
                fleet.touch(meta.name(node))
                self.runner.queue.add(key)

    def _account(self, key: str, change: str, pod: Object, old: Object | None) -> None:
        if change == "DELETED" or meta.is_terminating(pod):
            self._expectations.deleted(key, meta.uid(pod))
        elif old is None:
            self._expectations.created(key)

    # What follows.

    async def reconcile(self, key: str) -> Result:
        set_ = self.sets.get(*meta.split_key(key))
        if set_ is None:
            self._fleets.pop(key, None)
            self._expectations.forget(key)
            return DONE
        if set_["spec"].get("selector") == {}:
            said = "This daemon set is selecting all pods. A non-empty selector is required."
            self._recorder.event(set_, "Warning", "SelectingAll", said)
            return DONE
        if meta.is_terminating(set_):
            return DONE
        history = await self._history.of(set_, self._pods_of)
        fleet = self._fleet(key, set_, history.hash)
        await self._refresh(set_, fleet)
        settled = self._expectations.satisfied(key)
        try:
            wait = await self._update(key, set_, fleet) if settled else None
            if settled:
                await self._history.truncate(set_, history, live=fleet.revisions)
        finally:
            await self._write_status(set_, fleet, collisions=history.collisions, observed=settled)
        return Result(requeue_after=_earliest(wait, fleet.matures_in(self._clock.monotonic())))

    def _fleet(self, key: str, set_: Object, revision: str) -> Fleet:
        """The one that is kept, or a new one when the DaemonSet asks for something else."""
        template, identity = set_["spec"]["template"], (meta.uid(set_), _generation(set_), revision)
        kept = self._fleets.get(key)
        if kept is not None and kept.plan.identity == identity:
            return kept
        plan = Plan(
            identity=identity,
            placement=Placement(template),
            revision=revision,
            generation=str(meta.annotations(set_).get(GENERATION) or ""),
            min_ready_seconds=int(set_["spec"].get("minReadySeconds") or 0),
            surges=rolling.surges(set_),
        )
        fleet = Fleet(plan, map(meta.name, self.nodes.list()))
        for pod in self._pods_of(set_):
            fleet.touch(target_node(pod))
        fleet.orphans = {meta.key(pod) for pod in self._index.get(orphans(meta.namespace(set_)))}
        self._fleets[key] = fleet
        return fleet

    def _pods_of(self, set_: Object) -> list[Object]:
        return self._index.get(meta.uid(set_))

    async def _refresh(self, set_: Object, fleet: Fleet) -> None:
        """Assess what has changed."""
        claim = Claim(
            self._client,
            set_,
            owner_resource=DAEMON_SETS,
            resource=PODS,
            selects=selector_of(set_),
        )
        await self._adopt(fleet, claim)
        fleet.touch_matured(self._clock.monotonic())
        done = 0
        while fleet.touched:
            await self._assess(set_, fleet, fleet.touched.pop(), claim)
            done += 1
            if done % _BREATH == 0:
                await asyncio.sleep(0)

    async def _adopt(self, fleet: Fleet, claim: Claim) -> None:
        for key in list(fleet.orphans):
            orphan = self.pods.get(*meta.split_key(key))
            for pod in await claim.claim([orphan] if orphan is not None else []):
                fleet.adopt(target_node(pod), pod)
            fleet.orphans.discard(key)

    async def _assess(self, set_: Object, fleet: Fleet, node: str, claim: Claim) -> None:
        try:
            pods = await claim.claim(self._index.get(f"{meta.uid(set_)}/{node}"))
        except ApiError:
            fleet.touch(node)
            raise
        pods += fleet.adopted_on(node, known=pods)
        found = assess(fleet.plan, self.nodes.get("", node), pods, self._clock.now())
        fleet.put(node, found, self._clock.monotonic())

    async def _update(self, key: str, set_: Object, fleet: Fleet) -> float | None:
        """Seconds after which pods that failed may be deleted, if any."""
        going, wait = self._ended(set_, fleet)
        move = rolling.Move(list(fleet.needing), going + fleet.surplus())
        if not any(move) and set_["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            move = rolling.next_move(set_, fleet)
        await self._sync(key, set_, fleet, move)
        return wait

    def _ended(self, set_: Object, fleet: Fleet) -> tuple[list[Object], float | None]:
        """Pods that ended and may go now; a node whose pods keep failing has to wait."""
        going: list[Object] = []
        waits: list[float] = []
        for node, pod in islice(fleet.ended(), BURST):
            failed = phase(pod) == "Failed"
            if failed and (wait := fleet.patience.wait(node, self._clock.monotonic())):
                waits.append(wait)
                continue
            self._note_end(set_, pod, node, failed=failed)
            going.append(pod)
        return going, min(waits, default=None)

    def _note_end(self, set_: Object, pod: Object, node: str, *, failed: bool) -> None:
        found = f"daemon pod {meta.key(pod)} on node {node}, will try to"
        if failed:
            said = f"Found failed {found} kill it"
            self._recorder.event(set_, "Warning", "FailedDaemonPod", said)
        else:
            said = f"Found succeeded {found} delete it"
            self._recorder.event(set_, "Normal", "SucceededDaemonPod", said)

    async def _sync(self, key: str, set_: Object, fleet: Fleet, move: rolling.Move) -> None:
        doomed, needing = move.delete[:BURST], move.create_on[:BURST]
        if not doomed and not needing:
            return
        self._expectations.expect(key, creations=len(needing), deletions=map(meta.uid, doomed))

        async def create(node: str) -> None:
            await self._pod_control.create(new_pod(set_, node, revision=fleet.plan.revision), set_)

        done, failure = await slow_start(needing, create)
        self._expectations.created(key, count=len(needing) - done)
        failures = await _all(self._delete(key, set_, pod) for pod in doomed)
        if failure is not None:
            raise failure
        if failures:
            raise failures[0]

    async def _delete(self, key: str, set_: Object, pod: Object) -> None:
        try:
            with suppress(NotFound):
                await self._pod_control.delete(pod, set_)
                return
        except ApiError:
            self._expectations.deleted(key, meta.uid(pod))
            raise
        self._expectations.deleted(key, meta.uid(pod))

    async def _write_status(self, set_: Object, fleet: Fleet, *, collisions: int, observed: bool) -> None:
        status = status_of(set_, fleet.totals, collisions=collisions, observed=observed)
        if status != (set_.get("status") or {}):
            await self._client.update(DAEMON_SETS, {**set_, "status": status}, subresource="status")


async def _all(work: Iterable[Awaitable[None]]) -> list[ApiError]:
    """Do it all at once; which of it the server refused."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for each in results:
        if isinstance(each, BaseException) and not isinstance(each, ApiError):
            raise each
    return [each for each in results if isinstance(each, ApiError)]


def _files(pod: Object) -> tuple[str, ...]:
    """Pods are filed under their controller's uid, and under that with their node."""
    controller = meta.controller_of(pod)
    if controller is None:
        return (orphans(meta.namespace(pod)),)
    if controller.get("kind") != DAEMON_SETS.kind:
        return ()
    uid = str(controller["uid"])
    return uid, f"{uid}/{target_node(pod)}"


def _generation(set_: Object) -> int:
    return int(meta.metadata(set_).get("generation") or 0)


def _earliest(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)
