"""Makes the pods that a job lacks and deletes those that it has too many of: either one in a reconcile."""

from collections.abc import Sequence
from dataclasses import dataclass

from kubeling.client import Client, ConnectionLost
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.job.backoff import Failures
from server.controllers.job.finalizers import remove_finalizer
from server.controllers.job.indexes import Indexes, index_of
from server.controllers.job.per_index import startable
from server.controllers.job.pod_template import pod_of, pod_of_index
from server.controllers.job.removal import to_remove
from server.controllers.job.tracked import (
    Tracked,
    is_indexed,
    is_suspended,
    is_terminating,
    limits_each_index,
    replaces_only_failed,
)
from server.controllers.owned.expectations import Expectations
from server.controllers.owned.pod_control import PodControl, namespace_terminates
from server.controllers.owned.slow_start import for_each, slow_start

MOST_AT_ONCE = 500


@dataclass(slots=True)
class Outcome:
    """When to look again, in seconds, and what went wrong first."""

    again: float | None = None
    failure: Exception | None = None


class Scale:
    def __init__(self, client: Client, clock: Clock, control: PodControl, expectations: Expectations) -> None:
        self._client = client
        self._clock = clock
        self._control = control
        self._expectations = expectations

    async def steer(self, tracked: Tracked, failures: Failures, last_failed: dict[int, Object]) -> Outcome:
        """Towards the number of active pods that the job should have now."""
        if is_suspended(tracked.job):
            return await self._delete(tracked, to_remove(tracked, len(tracked.active)))
        wanted = _wanted(tracked)
        surplus = to_remove(tracked, max(0, len(tracked.active) - wanted))[:MOST_AT_ONCE]
        if surplus:
            return await self._delete(tracked, surplus)
        ending = tracked.terminating if replaces_only_failed(tracked.job) else 0
        missing = min(wanted - ending - len(tracked.active), MOST_AT_ONCE)
        if missing <= 0:
            return Outcome()
        return await self._create(tracked, missing, failures, last_failed)

    async def end(self, tracked: Tracked) -> Outcome:
        """Delete every active pod of a job that ends: their finalizers stay until they have been counted."""
        if not tracked.active:
            return Outcome()
        self._expectations.expect_more(
            meta.key(tracked.job), deletions=[meta.uid(pod) for pod in tracked.active]
        )
        return await self._delete_each(tracked, tracked.active)

    async def _delete(self, tracked: Tracked, pods: Sequence[Object]) -> Outcome:
        """They are wanted no more, which is no failure of theirs: they are not counted."""
        if not pods:
            return Outcome()
        self._expectations.expect(meta.key(tracked.job), deletions=[meta.uid(pod) for pod in pods])
        return await self._delete_each(tracked, pods, uncounted=True)

    async def _delete_each(
        self, tracked: Tracked, pods: Sequence[Object], *, uncounted: bool = False
    ) -> Outcome:
        key = meta.key(tracked.job)

        async def delete(pod: Object) -> None:
            try:
                if uncounted:
                    await remove_finalizer(self._client, pod)
                await self._control.delete(pod, tracked.job)
            except NotFound:
                self._expectations.deleted(key, meta.uid(pod))
            except (ApiError, ConnectionLost):
                self._expectations.deleted(key, meta.uid(pod))
                raise
            tracked.removed([pod])

        return Outcome(failure=await for_each(pods, delete))

    async def _create(
        self, tracked: Tracked, missing: int, failures: Failures, last_failed: dict[int, Object]
    ) -> Outcome:
        job, now = tracked.job, self._clock.now()
        if not limits_each_index(job) and (wait := failures.remaining(now)) > 0:
            return Outcome(again=wait)
        if not is_indexed(job):
            return await self._create_each(tracked, [pod_of(job) for _ in range(missing)])
        indexes = _pending(tracked, missing)
        again = None
        if limits_each_index(job):
            indexes, again = startable(indexes, last_failed, now)
        outcome = await self._create_each(
            tracked, [pod_of_index(job, index, last_failed.get(index)) for index in indexes]
        )
        outcome.again = again
        return outcome

    async def _create_each(self, tracked: Tracked, pods: Sequence[Object]) -> Outcome:
        key, job = meta.key(tracked.job), tracked.job
        self._expectations.expect(key, creations=len(pods))
        made = 0

        async def create(pod: Object) -> None:
            nonlocal made
            await self._control.create(pod, job)
            made += 1

        _, failure = await slow_start(pods, create)
        self._expectations.created(key, count=len(pods) - made)
        tracked.active_count += made
        if failure is None or (isinstance(failure, ApiError) and namespace_terminates(failure)):
            return Outcome()
        return Outcome(failure=failure)


def _wanted(tracked: Tracked) -> int:
    """How many pods should be active. A work queue that has had a success only runs out."""
    parallelism: int = tracked.spec["parallelism"]
    if tracked.completions is None:
        return len(tracked.active) if tracked.succeeded else parallelism
    return max(0, min(tracked.completions - tracked.succeeded, parallelism))


def _pending(tracked: Tracked, count: int) -> list[int]:
    """The lowest indexes that have neither ended nor a pod."""
    held = {index_of(pod) for pod in tracked.active}
    if replaces_only_failed(tracked.job):
        held |= {index_of(pod) for pod in tracked.pods if is_terminating(pod)}
    settled = tracked.succeeded_indexes.union(tracked.failed_indexes)
    taken = settled.union(Indexes().with_indexes(index for index in held if index >= 0))
    return taken.first_missing(count, tracked.spec["completions"])
