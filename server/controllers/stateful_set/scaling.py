"""Brings a StatefulSet's pods to the number that it asks for, in order or all at once.

In order: a pod is made, and then nothing happens until it is ready and available; nor is one removed before
all that stay are. In parallel nothing waits for anything.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.pods import is_finished, phase
from server.controllers.owned.slow_start import slow_start
from server.controllers.stateful_set.claims import Claims
from server.controllers.stateful_set.identity import identity_matches, storage_matches
from server.controllers.stateful_set.pods import Pods
from server.controllers.stateful_set.replicas import Replicas, in_order, is_created, is_healthy

Step = Callable[[Object], Awaitable[bool]]
"""Does what is to be done for one pod; True when those after it have to wait."""


class Scaling:
    """One round for one set. `updated` is the set with the template that is rolled out."""

    def __init__(self, set_: Object, updated: Object, *, pods: Pods, claims: Claims, now: datetime) -> None:
        self._set = set_
        self._updated = updated
        self._pods = pods
        self._claims = claims
        self._now = now
        self._in_order = in_order(set_)
        self.wait: float | None = None
        """Seconds until a pod that has ended may be made anew, if one has to wait."""

    async def run(self, replicas: Replicas) -> bool:
        """Whether the number is reached, as far as this round is concerned, and an update may go on."""
        blocker = replicas.first_unavailable(self._set, self._now)

        async def remove(pod: Object) -> bool:
            return await self._remove(pod, blocker)

        steps: tuple[tuple[Step, list[Object]], ...] = (
            (self._keep, [pod for pod in replicas.wanted if self._needs_care(pod)]),
            (self._give_claims, replicas.condemned),
            (remove, replicas.condemned),
        )
        for step, pods in steps:
            if await self._each(step, pods):
                return False
        return True

    async def _each(self, step: Step, pods: list[Object]) -> bool:
        if self._in_order:
            for pod in pods:
                if await step(pod):
                    return True
            return False
        _, failure = await slow_start(pods, step)
        if failure is not None:
            raise failure
        return False

    def _needs_care(self, pod: Object) -> bool:
        """Whether there is anything to do, or to wait for."""
        if not is_created(pod) or is_finished(pod):
            return True
        if self._in_order and (meta.is_terminating(pod) or not is_healthy(self._set, pod, self._now)):
            return True
        if phase(pod) == "Pending" and not self._claims.provided(self._set, pod):
            return True
        return not self._conforms(pod)

    def _conforms(self, pod: Object) -> bool:
        matches = identity_matches(self._set, pod) and storage_matches(self._set, pod)
        return matches and self._claims.settled(self._updated, pod)

    async def _keep(self, pod: Object) -> bool:
        if is_finished(pod):
            if not meta.is_terminating(pod) and (wait := await self._pods.delete_ended(self._set, pod)):
                self.wait = min(wait, self.wait or wait)
            return True
        if not is_created(pod):
            if not self._claims.stale(self._set, pod):
                await self._pods.create(self._set, pod)
            return True
        if phase(pod) == "Pending" and not meta.is_terminating(pod):
            await self._claims.provide(self._set, pod)
            await self._claims.give_owners(self._updated, pod)
        waits = meta.is_terminating(pod) or not is_healthy(self._set, pod, self._now)
        if self._in_order and waits:
            return True
        if not self._conforms(pod) and not meta.is_terminating(pod):
            await self._pods.correct(self._updated, pod)
        return False

    async def _give_claims(self, pod: Object) -> bool:
        await self._claims.give_owners(self._updated, pod)
        return False

    async def _remove(self, pod: Object, blocker: Object | None) -> bool:
        """In order the first that is unavailable may go before it recovers, and no other."""
        if meta.is_terminating(pod):
            return self._in_order
        if self._in_order and pod is not blocker and not is_healthy(self._set, pod, self._now):
            return True
        await self._pods.delete(self._set, pod)
        return True
