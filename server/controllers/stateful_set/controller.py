"""Reads a StatefulSet and its pods, brings them closer to what it asks for, and writes its status."""

from kubeling.client import DONE, Result
from kubeling.client.index import Index
from kubeling.client.resources import (
    CONTROLLER_REVISIONS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STATEFUL_SETS,
)
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.owned import pods as pod_worth
from server.controllers.owned.leaving import unless_namespace_goes
from server.controllers.owned.ownership import Claim
from server.controllers.owned.pace import PacedRunner
from server.controllers.owned.revisions import HASH_LABEL, History, restored
from server.controllers.owned.waking import selector_of, waker
from server.controllers.stateful_set import rolling, status
from server.controllers.stateful_set.claims import Claims
from server.controllers.stateful_set.identity import (
    is_claim_of,
    is_member,
    ordinals,
    parent_and_ordinal,
    pod_name,
    wanted_replicas,
)
from server.controllers.stateful_set.pods import Pods
from server.controllers.stateful_set.replicas import (
    Replicas,
    Revisions,
    arrange,
    in_order,
    min_ready_seconds,
    revision_of,
)
from server.controllers.stateful_set.scaling import Scaling

WORKERS = 5
DEFAULT_HISTORY = 10
"""Past revisions that are kept if the set does not say."""


def make(context: Context) -> Controller:
    sets = StatefulSets(context)
    reconcile = unless_namespace_goes(sets.reconcile)
    runner = PacedRunner("statefulset-controller", reconcile, clock=context.clock, workers=WORKERS)

    def wake(set_: Object) -> None:
        """In order one pod changes after the other; in parallel all may at once."""
        runner.pace.wake_soon(meta.key(set_), 0 if in_order(set_) else wanted_replicas(set_))

    def claim_changed(change: str, claim: Object, _: Object | None) -> None:
        """One that is gone is made anew for a pod that waits, or was waited for."""
        if change == "DELETED":
            for set_ in sets.sets.list(meta.namespace(claim)):
                if is_claim_of(set_, claim):
                    runner.queue.add(meta.key(set_))

    runner.watches(sets.sets)
    sets.pods.add_handler(waker(sets.sets, STATEFUL_SETS.kind, wake))
    sets.claims.add_handler(claim_changed)
    for informer in (sets.pods, sets.revisions, sets.claims):
        runner.reads(informer)
    return runner


class StatefulSets:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self.sets = context.client.informer(STATEFUL_SETS)
        self.pods = context.client.informer(PODS)
        self.revisions = context.client.informer(CONTROLLER_REVISIONS)
        self.claims = context.client.informer(PERSISTENT_VOLUME_CLAIMS)
        recorder = context.recorder("statefulset-controller")
        self._claims = Claims(context.client, self.claims, recorder)
        self._pods = Pods(context.client, self._claims, recorder, clock=context.clock)
        self._index = Index(self.pods, _files)
        self._history = History(context.client, self.revisions, STATEFUL_SETS, label=HASH_LABEL)

    async def reconcile(self, key: str) -> Result:
        set_ = self.sets.get(*meta.split_key(key))
        if set_ is None or meta.is_terminating(set_):
            return DONE
        history = await self._history.claim(set_, selector_of(set_))
        current = await self._history.current(set_, history)
        named = (set_.get("status") or {}).get("currentRevision")
        before = next((each for each in history if meta.name(each) == named), current.revision)
        revisions = Revisions(before, current.revision, current.collisions)
        pods = await self._claim_pods(set_)
        wait = await self._update(set_, pods, revisions)
        await self._truncate(set_, history, pods, revisions)
        return Result(requeue_after=min(filter(None, (wait, self._matures_in(set_, pods))), default=None))

    async def _claim_pods(self, set_: Object) -> list[Object]:
        """Its own and those that it adopts. The index may lag: those that it lacks are looked up by name."""
        namespace = meta.namespace(set_)
        filed = self._index.get(meta.uid(set_)) + self._index.get(_orphans(namespace, meta.name(set_)))
        found = {meta.name(pod): pod for pod in filed}
        for name in (pod_name(set_, ordinal) for ordinal in ordinals(set_)):
            if name not in found and (pod := self.pods.get(namespace, name)) is not None:
                found[name] = pod
        claim = Claim(
            self._client,
            set_,
            owner_resource=STATEFUL_SETS,
            resource=PODS,
            selects=selector_of(set_),
        )
        return await claim.claim(found.values(), also=lambda pod: is_member(set_, pod))

    async def _update(self, set_: Object, pods: list[Object], revisions: Revisions) -> float | None:
        """Seconds after which something that has to wait may be done, if anything has."""
        replicas = arrange(set_, pods, revisions)
        said = status.status_of(set_, pods, revisions, self._clock.now())
        try:
            return await self._advance(set_, replicas, revisions, said)
        finally:
            await self._write_status(set_, said)

    async def _advance(
        self, set_: Object, replicas: Replicas, revisions: Revisions, said: Object
    ) -> float | None:
        now, updated = self._clock.now(), restored(set_, revisions.update)
        scaling = Scaling(set_, updated, pods=self._pods, claims=self._claims, now=now)
        if not await scaling.run(replicas) or set_["spec"]["updateStrategy"]["type"] == "OnDelete":
            return scaling.wait
        for pod in rolling.doomed(set_, replicas.wanted, update=revisions.update_name, now=now):
            await self._pods.delete(set_, pod)
            said["currentReplicas"] = max(said["currentReplicas"] - 1, 0)
        return scaling.wait

    async def _write_status(self, set_: Object, said: Object) -> None:
        status.complete(set_, said)
        if status.differs(set_.get("status") or {}, said):
            await self._client.update(STATEFUL_SETS, {**set_, "status": said}, subresource="status")

    async def _truncate(
        self, set_: Object, history: list[Object], pods: list[Object], revisions: Revisions
    ) -> None:
        """Revisions that no pod has and nobody waits for are kept up to a number, the newest."""
        live = {revision_of(pod) for pod in pods} | {revisions.current_name, revisions.update_name}
        past = [each for each in history if meta.name(each) not in live]
        limit = set_["spec"].get("revisionHistoryLimit")
        limit = DEFAULT_HISTORY if limit is None else int(limit)
        if 0 <= limit < len(past):
            await self._history.delete(past[: len(past) - limit])

    def _matures_in(self, set_: Object, pods: list[Object]) -> float | None:
        """Seconds until the next pod that is ready will have been so for long enough."""
        needed = min_ready_seconds(set_)
        if not needed:
            return None
        waits = [
            pod_worth.seconds_to_available(pod, min_ready_seconds=needed, now=self._clock.now())
            for pod in pods
        ]
        return min((wait for wait in waits if wait), default=None)


def _files(pod: Object) -> tuple[str, ...]:
    """Pods are filed under the uid of their controller, or under the name of the set that may adopt them."""
    controller = meta.controller_of(pod)
    if controller is not None:
        return (str(controller["uid"]),) if controller.get("kind") == STATEFUL_SETS.kind else ()
    parent, ordinal = parent_and_ordinal(meta.name(pod))
    return (_orphans(meta.namespace(pod), parent),) if ordinal >= 0 else ()


def _orphans(namespace: str, parent: str) -> str:
    return f"{namespace}/{parent}"
