"""Making, correcting and deleting a StatefulSet's pods, each with the event that upstream records."""

import copy
from contextlib import suppress

from kubeling.client import Client, EventRecorder
from kubeling.client.resources import PODS
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubeling.objects.meta import Object
from server.controllers.owned.patience import Patience
from server.controllers.owned.pod_control import namespace_terminates
from server.controllers.stateful_set.claims import Claims
from server.controllers.stateful_set.identity import (
    give_identity,
    give_storage,
    identity_matches,
    storage_matches,
)

FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0
"""Seconds between replacements of a pod that ends again and again."""


class Pods:
    def __init__(self, client: Client, claims: Claims, recorder: EventRecorder, *, clock: Clock) -> None:
        self._clock = clock
        self._patience = Patience(first=FIRST_DELAY, longest=LONGEST_DELAY)
        self._client = client
        self._claims = claims
        self._recorder = recorder

    async def create(self, set_: Object, draft: Object) -> None:
        """The claims first, then the pod.

        Raises:
            Conflict: a pod of that name is there already.
            ApiError: after a FailedCreate event.
        """
        try:
            await self._claims.provide(set_, draft)
            await self._client.create(PODS, draft)
        except AlreadyExists as error:
            raise Conflict(str(error)) from error  # a cache that lags, or another's pod: try again later
        except ApiError as error:
            if not namespace_terminates(error):
                self._failed("create", set_, draft, error)
            raise
        self._succeeded("create", set_, draft)

    async def correct(self, set_: Object, pod: Object) -> None:
        """Give the pod its name's labels and its claims their owners. Volumes cannot change: that fails."""
        try:
            await self._claims.give_owners(set_, pod)
            if not storage_matches(set_, pod):
                await self._claims.provide(set_, pod)
            if identity_matches(set_, pod) and storage_matches(set_, pod):
                return
            changed = copy.deepcopy(pod)
            give_identity(set_, changed)
            give_storage(set_, changed)
            await self._client.update(PODS, changed)
        except ApiError as error:
            self._failed("update", set_, pod, error)
            raise
        self._succeeded("update", set_, pod)

    async def delete_ended(self, set_: Object, pod: Object) -> float:
        """Delete a pod that has ended, so that it is made anew; or how many seconds that has to wait."""
        place = f"{meta.uid(set_)}/{meta.name(pod)}"
        if wait := self._patience.wait(place, self._clock.monotonic()):
            return wait
        await self.delete(set_, pod)
        return 0.0

    async def delete(self, set_: Object, pod: Object) -> None:
        with suppress(NotFound):
            try:
                await self._client.delete(
                    PODS,
                    meta.name(pod),
                    namespace=meta.namespace(pod),
                    preconditions={"uid": meta.uid(pod)},
                )
            except ApiError as error:
                self._failed("delete", set_, pod, error)
                raise
            self._succeeded("delete", set_, pod)

    def _succeeded(self, verb: str, set_: Object, pod: Object) -> None:
        said = f"{verb} Pod {meta.name(pod)} in StatefulSet {meta.name(set_)} successful"
        self._recorder.event(set_, "Normal", f"Successful{verb.title()}", said)

    def _failed(self, verb: str, set_: Object, pod: Object, error: ApiError) -> None:
        said = f"{verb} Pod {meta.name(pod)} in StatefulSet {meta.name(set_)} failed error: {error}"
        self._recorder.event(set_, "Warning", f"Failed{verb.title()}", said)
