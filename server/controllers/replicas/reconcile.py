"""Makes and deletes pods until there are as many as the owner wants. The key is the owner."""

from collections.abc import Mapping, Sequence

from kubeling.client import DONE, Informer, Result
from kubeling.client.index import Index, by_controller
from kubeling.client.resources import PODS
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.owned.expectations import TIMEOUT, Expectations
from server.controllers.owned.ownership import Claim, owner_reference
from server.controllers.owned.pace import PacedRunner
from server.controllers.owned.pod_control import PodControl, namespace_terminates, pod_from_template
from server.controllers.owned.slow_start import for_each, slow_start
from server.controllers.replicas.deletion_order import first_to_go
from server.controllers.replicas.flavour import Flavour
from server.controllers.replicas.standing import Place, Standing, Standings, standing_of
from server.controllers.replicas.status import Counts, count, status_of
from server.controllers.replicas.wake import Wake

WORKERS = 5
BURST = 500
"""So many pods are made or deleted at most before the owner is looked at again."""
LOST_AFTER = TIMEOUT + 1
"""Seconds after which what was expected is expected no more: a pod that was made and gone while a watch was
interrupted is never seen."""


def controller(context: Context, flavour: Flavour) -> Controller:
    replicas = Replicas(context, flavour)
    runner = PacedRunner(flavour.component, replicas.reconcile, clock=context.clock, workers=WORKERS)
    wake = Wake(flavour, replicas.owners, runner.pace, replicas.expectations)
    replicas.owners.add_handler(wake.owner_changed)
    replicas.pods.add_handler(wake.pod_changed)
    runner.reads(replicas.owners)
    runner.reads(replicas.pods)
    return runner


class Replicas:
    def __init__(self, context: Context, flavour: Flavour) -> None:
        self.owners: Informer = context.client.informer(flavour.resource)
        self.pods: Informer = context.client.informer(PODS)
        self.expectations = Expectations(context.clock)
        self._flavour = flavour
        self._client = context.client
        self._clock = context.clock
        self._control = PodControl(context.client, context.recorder(flavour.component))
        self._standings = Standings(self.pods, flavour)
        self._owners_by_owner = Index.shared(self.owners, by_controller)

    async def reconcile(self, key: str) -> Result:
        namespace, name = meta.split_key(key)
        owner = self.owners.get(namespace, name)
        if owner is None:
            self.expectations.forget(key)
            return DONE
        satisfied = self.expectations.satisfied(key)
        pods = await self._claimed(owner)
        failure: ApiError | None = None
        if satisfied and not meta.is_terminating(owner):
            failure = await self._approach(key, owner, pods)
        counts = count(list(pods.values()), owner, self._clock.now())
        await self._write_status(owner, counts, failure)
        if failure is not None:
            raise failure
        return Result(requeue_after=self._look_again(key, counts))

    def _look_again(self, key: str, counts: Counts) -> float | None:
        """In how many seconds, if nothing happens before."""
        if self.expectations.satisfied(key):
            return counts.next_available
        return min(counts.next_available or LOST_AFTER, LOST_AFTER)

    async def _claimed(self, owner: Object) -> dict[Place, Standing]:
        """The active pods that are the owner's, by now."""
        selects = self._flavour.selects(owner)
        mine: dict[Place, Standing] = {}
        doubtful: list[Place] = []
        for place, pod in self._standings.of(meta.uid(owner)).items():
            if pod.active and selects(pod.labels):
                mine[place] = pod
            elif pod.active:
                doubtful.append(place)
        for place, pod in self._standings.free(meta.namespace(owner)).items():
            if pod.active and selects(pod.labels):
                doubtful.append(place)
        return mine | await self._settled(owner, doubtful) if doubtful else mine

    async def _settled(self, owner: Object, places: Sequence[Place]) -> dict[Place, Standing]:
        """Adopt what is free, release what is selected no more: those that are the owner's then."""
        claim = Claim(
            self._client,
            owner,
            owner_resource=self._flavour.resource,
            resource=PODS,
            selects=self._flavour.selects(owner),
        )
        found = (self.pods.get(*place) for place in places)
        claimed = await claim.claim([pod for pod in found if pod is not None])
        return {(meta.namespace(pod), meta.name(pod)): standing_of(pod) for pod in claimed}

    async def _approach(self, key: str, owner: Object, pods: Mapping[Place, Standing]) -> ApiError | None:
        """Make what is missing, or delete what is too many. Returns the first failure."""
        missing = int((owner.get("spec") or {}).get("replicas") or 0) - len(pods)
        if missing > 0:
            return await self._create(key, owner, min(missing, BURST))
        if missing < 0:
            return await self._delete(key, owner, pods, min(-missing, BURST))
        return None

    async def _create(self, key: str, owner: Object, number: int) -> ApiError | None:
        reference = owner_reference(owner, self._flavour.resource)
        pod = pod_from_template(owner["spec"].get("template") or {}, owner, reference)
        self.expectations.expect(key, creations=number)

        async def create(_: int) -> None:
            try:
                await self._control.create(pod, owner)
            except ApiError as error:
                if not namespace_terminates(error):
                    raise
                self.expectations.created(key)  # it will not be

        done, failure = await slow_start(range(number), create)
        self.expectations.created(key, count=number - done)
        return _expected(failure)

    async def _delete(
        self, key: str, owner: Object, pods: Mapping[Place, Standing], number: int
    ) -> ApiError | None:
        related = self._related(owner) if number < len(pods) else []
        doomed = first_to_go(pods, number, related=related, now=self._clock.now())
        self.expectations.expect(key, deletions=[pods[place].uid for place in doomed])

        async def delete(place: Place) -> None:
            try:
                await self._control.delete(_identity(place, pods[place]), owner)
            except ApiError as error:
                self.expectations.deleted(key, pods[place].uid)
                if not isinstance(error, NotFound):
                    raise

        return _expected(await for_each(doomed, delete))

    def _related(self, owner: Object) -> list[Standing]:
        """The pods of all owners that the same Deployment controls."""
        above = meta.controller_of(owner)
        if above is None:
            return []
        siblings = self._owners_by_owner.get(str(above.get("uid")))
        return [pod for each in siblings for pod in self._standings.of(meta.uid(each)).values()]

    def _terminating(self, owner: Object) -> int | None:
        """How many of its pods are about to end; None where the status does not say."""
        if not self._flavour.counts_terminating:
            return None
        selects = self._flavour.selects(owner)
        pods = self._standings.of(meta.uid(owner)).values()
        return sum(pod.terminating and selects(pod.labels) for pod in pods)

    async def _write_status(self, owner: Object, counts: Counts, failure: ApiError | None) -> None:
        terminating, now = self._terminating(owner), self._clock.now()
        status = status_of(owner, counts, terminating=terminating, failure=failure, now=now)
        if status != owner.get("status"):
            await self._client.update(
                self._flavour.resource, {**owner, "status": status}, subresource="status"
            )


def _identity(place: Place, pod: Standing) -> Object:
    """As much of a pod as its deletion needs."""
    namespace, name = place
    return {"metadata": {"namespace": namespace, "name": name, "uid": pod.uid}}


def _expected(failure: Exception | None) -> ApiError | None:
    """An API error is the owner's condition; anything else is raised."""
    if failure is None or isinstance(failure, ApiError):
        return failure
    raise failure
