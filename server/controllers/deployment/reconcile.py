"""Decides what a Deployment needs now: to be scaled, a step of its rollout, or only its status told.

The key is the Deployment. One reconcile takes one step; what that sets off wakes it for the next.
"""

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.index import Index, by_controller, orphans
from kubeling.client.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kubeling.objects import meta
from kubeling.objects.labels import from_label_selector
from kubeling.objects.meta import Object
from server.controllers.context import Context
from server.controllers.deployment.bounds import is_rolling
from server.controllers.deployment.history import forget_old
from server.controllers.deployment.progress import (
    estimate,
    note_pause,
    seconds_to_deadline,
    tell_failure,
)
from server.controllers.deployment.recreate import recreate
from server.controllers.deployment.revision import ensure_new, sync_revision
from server.controllers.deployment.rolling import roll
from server.controllers.deployment.rollout import Rollout
from server.controllers.deployment.scaling import scale, was_scaled
from server.controllers.deployment.status import counted, is_complete
from server.controllers.deployment.wake import pod_waker
from server.controllers.owned.leaving import unless_namespace_goes
from server.controllers.owned.ownership import Claim
from server.controllers.owned.waking import waker

COMPONENT = "deployment-controller"
WORKERS = 5


def make(context: Context) -> ControllerRunner:
    deployments = Deployments(context)
    reconcile = unless_namespace_goes(deployments.reconcile)
    runner = ControllerRunner(COMPONENT, reconcile, clock=context.clock, workers=WORKERS)
    known, sets = deployments.deployments, deployments.replica_sets

    def wake(deployment: Object) -> None:
        runner.queue.add(meta.key(deployment))

    runner.watches(known)
    sets.add_handler(waker(known, DEPLOYMENTS.kind, wake))
    deployments.pods.add_handler(pod_waker(known, sets, wake))
    runner.reads(deployments.replica_sets)
    runner.reads(deployments.pods)
    return runner


class Deployments:
    def __init__(self, context: Context) -> None:
        self.deployments: Informer = context.client.informer(DEPLOYMENTS)
        self.replica_sets: Informer = context.client.informer(REPLICA_SETS)
        self.pods: Informer = context.client.informer(PODS)
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder(COMPONENT)
        self._sets_by_owner = Index.shared(self.replica_sets, by_controller)
        self._pods_by_owner = Index.shared(self.pods, by_controller)

    async def reconcile(self, key: str) -> Result:
        deployment = self.deployments.get(*meta.split_key(key))
        if deployment is None:
            return DONE
        owned = await self._claimed(deployment)
        rollout = Rollout(self._client, self._recorder, deployment, owned, self._clock.now())
        if meta.is_terminating(deployment):
            await sync_revision(rollout)
            return await self._tell(rollout)
        note_pause(deployment, rollout.status, rollout.now)
        await sync_revision(rollout)
        if deployment["spec"].get("paused") or was_scaled(rollout):
            await scale(rollout)
            await forget_old(rollout)
            return await self._tell(rollout)
        await self._roll_out(rollout)
        return await self._tell_progress(rollout)

    async def _claimed(self, deployment: Object) -> list[Object]:
        """Its ReplicaSets, by now; in the newest state that is known of each."""
        space = meta.namespace(deployment)
        known = (
            *self._sets_by_owner.get(meta.uid(deployment)),
            *self._sets_by_owner.get(orphans(space)),
        )
        fresh = (self.replica_sets.get(space, meta.name(each)) for each in known)
        claim = Claim(
            self._client,
            deployment,
            owner_resource=DEPLOYMENTS,
            resource=REPLICA_SETS,
            selects=from_label_selector(deployment["spec"].get("selector")).predicate(),
        )
        return await claim.claim(each for each in fresh if each is not None)

    async def _roll_out(self, rollout: Rollout) -> None:
        if is_rolling(rollout.deployment):
            changed = await roll(rollout, await ensure_new(rollout, self.replica_sets))
        else:
            changed = await recreate(rollout, known=self.replica_sets, pods=self._pods_by_owner)
        if not changed and is_complete(rollout.deployment, rollout.deployment.get("status") or {}):
            await forget_old(rollout)

    def _count(self, rollout: Rollout) -> None:
        rollout.status = counted(
            rollout.deployment, rollout.status, rollout.replica_sets, rollout.new, now=rollout.now
        )

    async def _tell(self, rollout: Rollout) -> Result:
        self._count(rollout)
        await rollout.write()
        return DONE

    async def _tell_progress(self, rollout: Rollout) -> Result:
        deployment = rollout.deployment
        before = deployment.get("status") or {}
        self._count(rollout)
        estimate(deployment, rollout.status, before, rollout.new, now=rollout.now)
        tell_failure(rollout.status, rollout.new, rollout.replica_sets)
        await rollout.write()
        return Result(requeue_after=seconds_to_deadline(deployment, rollout.status, rollout.now))
