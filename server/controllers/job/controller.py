"""The job controller: reconciles jobs, and takes the finalizer from pods whose job does so no more."""

import copy
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.event_recorder import NORMAL
from kubeling.client.index import Index, by_controller, orphans
from kubeling.client.resources import JOBS, PODS
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.labels import from_label_selector
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.job import conditions
from server.controllers.job.accounting import Accounting, Event
from server.controllers.job.backoff import Failures
from server.controllers.job.finalizers import Finalizers, remove_finalizer
from server.controllers.job.per_index import failed_indexes, last_failures
from server.controllers.job.scale import Outcome, Scale
from server.controllers.job.tracked import (
    TRACKING,
    Tracked,
    has_finalizer,
    is_suspended,
    limits_each_index,
)
from server.controllers.job.verdict import completion, seconds_to_deadline, verdict
from server.controllers.owned.expectations import Expectations
from server.controllers.owned.ownership import Claim
from server.controllers.owned.pace import PacedRunner
from server.controllers.owned.pod_control import PodControl
from server.controllers.owned.waking import concerned

NAME = "job-controller"
OURS = ("kubernetes.io/job-controller", None, "")
"""What `managedBy` says of jobs that are this controller's."""


def make(context: Context) -> Controller:
    return Jobs(context)


class Jobs:
    """Two queues: of jobs, and of pods that have lost theirs."""

    def __init__(self, context: Context) -> None:
        client, clock, recorder = context.client, context.clock, context.recorder(NAME)
        self._client = client
        self._clock = clock
        self._jobs, self._pods = client.informer(JOBS), client.informer(PODS)
        self._of_job = Index.shared(self._pods, by_controller)
        self._expectations = Expectations(clock)
        self._finalizers = Finalizers(client)
        self._scale = Scale(client, clock, PodControl(client, recorder), self._expectations)
        self._accounting = Accounting(client, clock, recorder, self._finalizers)
        self._runner = PacedRunner(NAME, self.reconcile, clock=clock, workers=5)
        self._orphans = ControllerRunner("job-orphan-pods", self.reconcile_orphan, clock=clock)
        self._pods.add_handler(self._pod_changed)
        self._jobs.add_handler(self._job_changed)
        for runner in (self._runner, self._orphans):
            runner.reads(self._jobs)
            runner.reads(self._pods)

    @property
    def idle(self) -> bool:
        return self._runner.idle and self._orphans.idle

    def start(self) -> None:
        self._runner.start()
        self._orphans.start()

    async def stop(self) -> None:
        await self._runner.stop()
        await self._orphans.stop()

    async def reconcile(self, key: str) -> Result:
        job = self._jobs.get(*meta.split_key(key))
        if job is None:
            self._forget(key)
            return DONE
        if job["spec"].get("managedBy") not in OURS:
            return DONE
        if conditions.finished(job):
            self._accounting.failures.pop(key, None)
            return DONE
        if self._accounting.is_stale(key, job):
            return DONE
        satisfied = self._expectations.satisfied(key)
        pods = await self._claim(job)
        tracked = Tracked(copy.deepcopy(job), pods, self._finalizers.handled(key))
        return await self._sync(key, tracked, satisfied=satisfied)

    async def reconcile_orphan(self, key: str) -> Result:
        pod = self._pods.get(*meta.split_key(key))
        if pod is not None and has_finalizer(pod) and self._is_orphan(pod):
            with suppress(NotFound):
                await remove_finalizer(self._client, pod, unchanged=True)  # it may be adopted meanwhile
        return DONE

    async def _sync(self, key: str, tracked: Tracked, *, satisfied: bool) -> Result:
        job, now = tracked.job, self._clock.now()
        before = copy.deepcopy(job["status"])
        known = self._accounting.failures.get(key, Failures())
        failures = known.after(tracked.newly_succeeded, tracked.newly_failed)
        if not is_suspended(job):
            job["status"].setdefault("startTime", meta.timestamp(now))
        last_failed: dict[int, Object] = {}
        if limits_each_index(job):
            tracked.failed_indexes = failed_indexes(tracked)
            last_failed = last_failures(tracked)
        ending, outcome = verdict(tracked, now), Outcome()
        events: list[Event] = []
        if ending is not None:
            outcome = await self._scale.end(tracked)
            if tracked.active_count or not satisfied:
                ending = None  # pods remain, or may come, that have to be deleted and counted first
        else:
            steered = satisfied and not meta.is_terminating(job)
            if steered:
                outcome = await self._scale.steer(tracked, failures, last_failed)
            ending = completion(tracked, now)
            if ending is None and steered:
                events = self._note_suspension(job)
        _note_counts(tracked)
        written = await self._accounting.settle(
            tracked,
            ending,
            last_failed,
            changed=job["status"] != before,
            events=events,
            failures=failures,
        )
        if outcome.failure is not None:
            raise outcome.failure
        deadline = seconds_to_deadline(written, now) if ending is None else None
        return Result(_earliest(outcome.again, deadline))

    async def _claim(self, job: Object) -> list[Object]:
        selects = from_label_selector(job["spec"]["selector"]).predicate()
        claim = Claim(
            self._client,
            job,
            owner_resource=JOBS,
            resource=PODS,
            selects=selects,
            finalizers=(TRACKING,),
        )
        strays = (
            pod
            for pod in self._of_job.get(orphans(meta.namespace(job)))
            if selects(meta.labels(pod)) and not meta.is_terminating(pod)
        )
        owned = await claim.claim(self._of_job.get(meta.uid(job)))
        return owned + [_with_finalizer(pod) for pod in await claim.claim(strays)]

    def _note_suspension(self, job: Object) -> list[Event]:
        """Keep the condition Suspended true to the spec; a job that goes on starts anew."""
        now, suspended = self._clock.now(), is_suspended(job)
        reason, message = ("JobSuspended", "Job suspended") if suspended else ("JobResumed", "Job resumed")
        condition = conditions.make(conditions.SUSPENDED, reason, message, now=now, status=str(suspended))
        if not conditions.ensure(job, condition):
            return []
        if suspended:
            job["status"].pop("startTime", None)
        else:
            job["status"]["startTime"] = meta.timestamp(now)
        return [(NORMAL, reason.removeprefix("Job"), message)]

    def _forget(self, key: str) -> None:
        self._expectations.forget(key)
        self._finalizers.forget(key)
        self._accounting.forget(key)

    def _job_changed(self, kind: str, job: Object, old: Object | None) -> None:
        if kind == "DELETED" or (old is not None and meta.uid(old) != meta.uid(job)):
            self._forget(meta.key(job))
        self._runner.queue.add(meta.key(job))
        if kind == "DELETED" or conditions.finished(job):
            for pod in self._of_job.get(meta.uid(job)):
                if has_finalizer(pod):
                    self._orphans.queue.add(meta.key(pod))

    def _pod_changed(self, kind: str, pod: Object, old: Object | None) -> None:
        job = self._job_of(pod)
        if job is not None and kind == "ADDED":
            self._expectations.created(meta.key(job))
        for each in concerned(self._jobs, JOBS.kind, kind, pod, old):
            self._observe(kind, each, pod)
        if kind != "DELETED" and has_finalizer(pod) and self._is_orphan(pod):
            self._orphans.queue.add(meta.key(pod))

    def _observe(self, kind: str, job: Object, pod: Object) -> None:
        key = meta.key(job)
        if kind == "DELETED" or meta.is_terminating(pod):
            self._expectations.deleted(key, meta.uid(pod))
        if kind == "DELETED" or not has_finalizer(pod):
            self._finalizers.observed(key, meta.uid(pod))
        self._runner.pace.wake_soon(key, int((job.get("status") or {}).get("active") or 0))

    def _job_of(self, pod: Object) -> Object | None:
        owner = meta.controller_of(pod)
        if owner is None or owner.get("kind") != JOBS.kind or owner.get("apiVersion") != JOBS.api_version:
            return None
        job = self._jobs.get(meta.namespace(pod), str(owner.get("name")))
        return job if job is not None and meta.uid(job) == owner.get("uid") else None

    def _is_orphan(self, pod: Object) -> bool:
        """Whether no job of this controller's will take the pod's finalizer away."""
        owner = meta.controller_of(pod)
        if owner is None:
            return True
        if owner.get("kind") != JOBS.kind or owner.get("apiVersion") != JOBS.api_version:
            return False
        job = self._job_of(pod)
        if job is None:
            return True
        return job["spec"].get("managedBy") in OURS and bool(conditions.finished(job))


def _with_finalizer(pod: Object) -> Object:
    """As the pod is after its adoption, which the cache does not show yet."""
    finalizers = [*(meta.metadata(pod).get("finalizers") or ()), TRACKING]
    return pod if has_finalizer(pod) else {**pod, "metadata": {**pod["metadata"], "finalizers": finalizers}}


def _note_counts(tracked: Tracked) -> None:
    tracked.status.pop("active", None)
    if tracked.active_count:
        tracked.status["active"] = tracked.active_count
    tracked.status["ready"] = tracked.ready
    tracked.status["terminating"] = tracked.terminating


def _earliest(*delays: float | None) -> float | None:
    return min((delay for delay in delays if delay is not None and delay > 0), default=None)
