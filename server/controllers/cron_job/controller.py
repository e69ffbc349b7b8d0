"""The CronJob controller: starts jobs when they are due, follows those that run, removes those of the past.

A job's name holds the time that it is for, so that none is started twice for the same.
"""

import copy
from contextlib import suppress
from datetime import UTC, datetime

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.event_recorder import NORMAL, WARNING
from kubeling.client.index import Index, by_controller
from kubeling.client.resources import CRON_JOBS, JOBS
from kubeling.objects import meta
from kubeling.objects.cron import CronError, Schedule, find_zone, parse_schedule
from kubeling.objects.errors import AlreadyExists, ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.cron_job.due import MANY, InvalidSchedule, most_recent, seconds_to_next
from server.controllers.cron_job.history import finished, surplus
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import namespace_terminates

NAME = "cronjob-controller"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_UNSUPPORTED = (
    'CRON_TZ or TZ used in schedule "{}" is not officially supported, see'
    " https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


def make(context: Context) -> Controller:
    cron_jobs = CronJobs(context)
    runner = ControllerRunner(NAME, cron_jobs.reconcile, clock=context.clock, workers=5)

    def job_changed(_: str, job: Object, old: Object | None) -> None:
        for each in (job, old):
            owner = meta.controller_of(each) if each is not None else None
            if owner is not None and owner.get("kind") == CRON_JOBS.kind:
                runner.queue.add(f"{meta.namespace(job)}/{owner['name']}")

    def cron_job_changed(_: str, cron_job: Object, old: Object | None) -> None:
        wait = cron_jobs.wait_after_change(cron_job, old) if old is not None else None
        runner.queue.add_after(meta.key(cron_job), wait or 0.0)

    cron_jobs.jobs.add_handler(job_changed)
    cron_jobs.cron_jobs.add_handler(cron_job_changed)
    runner.reads(cron_jobs.jobs)
    runner.reads(cron_jobs.cron_jobs)
    return runner


class CronJobs:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder(NAME)
        self.cron_jobs = context.client.informer(CRON_JOBS)
        self.jobs = context.client.informer(JOBS)
        self._of_cron_job = Index.shared(self.jobs, by_controller)
        self._written: dict[str, tuple[str, int]] = {}
        """By key, the uid and the revision of the CronJob as it was written last."""

    def wait_after_change(self, cron_job: Object, old: Object) -> float | None:
        """A schedule that is new begins at its next time, not at one that it had in the past."""
        names = ("schedule", "timeZone")
        if all(cron_job["spec"].get(name) == old["spec"].get(name) for name in names):
            return None
        try:
            schedule = _schedule(cron_job)
        except CronError:
            return None
        return seconds_to_next(cron_job, schedule, self._clock.now())

    async def reconcile(self, key: str) -> Result:
        shown = self.cron_jobs.get(*meta.split_key(key))
        if shown is None:
            self._written.pop(key, None)
            return DONE
        uid, revision = self._written.get(key, ("", 0))
        if uid == meta.uid(shown) and int(meta.resource_version(shown)) < revision:
            return DONE  # the cache will show what was written, and bring the key back
        cron_job = copy.deepcopy(shown)
        cron_job.setdefault("status", {})
        jobs = self._of_cron_job.get(meta.uid(cron_job))
        try:
            return await self._sync(cron_job, jobs)
        finally:
            await self._write(key, cron_job, shown)

    async def _write(self, key: str, cron_job: Object, shown: Object) -> None:
        status = cron_job["status"]
        if not status.get("active"):
            status.pop("active", None)
        if status != (shown.get("status") or {}):
            written = await self._client.update(CRON_JOBS, cron_job, subresource="status")
            self._written[key] = (meta.uid(written), int(meta.resource_version(written)))

    async def _sync(self, cron_job: Object, jobs: list[Object]) -> Result:
        for job in surplus(cron_job, jobs):
            with suppress(ApiError):  # the past must not hold the future up
                await self._delete(cron_job, job)
        self._follow(cron_job, jobs)
        await self._drop_missing(cron_job, {meta.uid(job) for job in jobs})
        if meta.is_terminating(cron_job):
            return DONE
        schedule = self._valid_schedule(cron_job)
        if schedule is None or cron_job["spec"].get("suspend"):
            return DONE
        now = self._clock.now()
        try:
            time, missed = most_recent(cron_job, schedule, now)
        except InvalidSchedule as error:
            text = f"invalid schedule: {cron_job['spec']['schedule']} : {error}"
            self._recorder.event(cron_job, WARNING, "InvalidSchedule", text)
            return DONE
        if missed > MANY:
            self._warn_of_many(cron_job)
        if time is not None and self._may_start(cron_job, time, now):
            await self._start(cron_job, time)
        return Result(seconds_to_next(cron_job, schedule, now))

    def _follow(self, cron_job: Object, jobs: list[Object]) -> None:
        """Take those that have finished off the list of active ones."""
        status = cron_job["status"]
        for job in jobs:
            ended, listed = finished(job), _is_listed(cron_job, job)
            if not listed and not ended:
                text = f"Saw a job that the controller did not create or forgot: {meta.name(job)}"
                self._recorder.event(cron_job, WARNING, "UnexpectedJob", text)
            elif listed and ended:
                _unlist(cron_job, meta.uid(job))
                text = f"Saw completed job: {meta.name(job)}, condition: {ended}"
                self._recorder.event(cron_job, NORMAL, "SawCompletedJob", text)
            completed = (job.get("status") or {}).get("completionTime") or ""
            if ended == "Complete" and completed > status.get("lastSuccessfulTime", ""):
                status["lastSuccessfulTime"] = completed

    async def _drop_missing(self, cron_job: Object, known: set[str]) -> None:
        """Take those that are gone off the list; the cache may not show yet what was just made."""
        for reference in list(cron_job["status"].get("active") or ()):
            if reference["uid"] in known:
                continue
            try:
                await self._client.get(JOBS, reference["name"], namespace=meta.namespace(cron_job))
            except NotFound:
                text = f"Active job went missing: {reference['name']}"
                self._recorder.event(cron_job, NORMAL, "MissingJob", text)
                _unlist(cron_job, reference["uid"])

    def _valid_schedule(self, cron_job: Object) -> Schedule | None:
        spec = cron_job["spec"]
        zone, text = spec.get("timeZone"), spec["schedule"]
        try:
            find_zone(zone or "UTC")
        except CronError as error:
            message = f'invalid timeZone: "{zone}": {error}'
            self._recorder.event(cron_job, WARNING, "UnknownTimeZone", message)
            return None
        if "TZ" in text and not spec.get("suspend"):
            self._recorder.event(cron_job, WARNING, "UnsupportedSchedule", _UNSUPPORTED.format(text))
        try:
            return _schedule(cron_job)
        except CronError as error:
            message = f'unparseable schedule: "{text}" : {error}'
            self._recorder.event(cron_job, WARNING, "UnparseableSchedule", message)
            return None

    def _warn_of_many(self, cron_job: Object) -> None:
        text = (
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
        self._recorder.event(cron_job, WARNING, "TooManyMissedTimes", text)

    def _may_start(self, cron_job: Object, time: datetime, now: datetime) -> bool:
        spec, status = cron_job["spec"], cron_job["status"]
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and (now - time).total_seconds() > deadline:
            text = f"Missed scheduled time to start a job: {time.strftime('%a, %d %b %Y %H:%M:%S %z')}"
            self._recorder.event(cron_job, WARNING, "MissSchedule", text)
            return False
        active = status.get("active") or []
        if status.get("lastScheduleTime") == meta.timestamp(time):
            return False
        if any(reference["name"] == _job_name(cron_job, time) for reference in active):
            return False
        if spec.get("concurrencyPolicy") == "Forbid" and active:
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._recorder.event(cron_job, NORMAL, "JobAlreadyActive", text)
            return False
        return True

    async def _start(self, cron_job: Object, time: datetime) -> None:
        if cron_job["spec"].get("concurrencyPolicy") == "Replace":
            await self._delete_active(cron_job)
        job = await self._create(cron_job, _job_of(cron_job, time))
        if job is None or _is_listed(cron_job, job):
            return
        reference = {
            "apiVersion": JOBS.api_version,
            "kind": JOBS.kind,
            "name": meta.name(job),
            "namespace": meta.namespace(job),
            "uid": meta.uid(job),
            "resourceVersion": meta.resource_version(job),
        }
        cron_job["status"].setdefault("active", []).append(reference)
        cron_job["status"]["lastScheduleTime"] = meta.timestamp(time)

    async def _create(self, cron_job: Object, job: Object) -> Object | None:
        """The job, also if it was made before this controller stopped; None if it is somebody else's."""
        try:
            made = await self._client.create(JOBS, job)
        except AlreadyExists:
            there = await self._client.get(JOBS, meta.name(job), namespace=meta.namespace(job))
            owner = meta.controller_of(there)
            return there if owner is not None and owner["uid"] == meta.uid(cron_job) else None
        except ApiError as error:
            if not namespace_terminates(error):
                self._recorder.event(cron_job, WARNING, "FailedCreate", f"Error creating job: {error}")
            raise
        self._recorder.event(cron_job, NORMAL, "SuccessfulCreate", f"Created job {meta.name(made)}")
        return made

    async def _delete_active(self, cron_job: Object) -> None:
        for reference in list(cron_job["status"].get("active") or ()):
            try:
                job = await self._client.get(JOBS, reference["name"], namespace=meta.namespace(cron_job))
            except ApiError as error:
                self._recorder.event(cron_job, WARNING, "FailedGet", f"Get job: {error}")
                raise
            await self._delete(cron_job, job)

    async def _delete(self, cron_job: Object, job: Object) -> None:
        """With its pods. Raises: ApiError, after a FailedDelete event."""
        try:
            with suppress(NotFound):
                await self._client.delete(
                    JOBS,
                    meta.name(job),
                    namespace=meta.namespace(job),
                    preconditions={"uid": meta.uid(job)},
                    propagation_policy="Background",
                )
                text = f"Deleted job {meta.name(job)}"
                self._recorder.event(cron_job, NORMAL, "SuccessfulDelete", text)
        except ApiError as error:
            self._recorder.event(cron_job, WARNING, "FailedDelete", f"Deleted job: {error}")
            raise
        _unlist(cron_job, meta.uid(job))


def _schedule(cron_job: Object) -> Schedule:
    return parse_schedule(cron_job["spec"]["schedule"], cron_job["spec"].get("timeZone"))


def _is_listed(cron_job: Object, job: Object) -> bool:
    return any(each["uid"] == meta.uid(job) for each in cron_job["status"].get("active") or ())


def _unlist(cron_job: Object, uid: str) -> None:
    active = cron_job["status"].get("active") or []
    cron_job["status"]["active"] = [each for each in active if each["uid"] != uid]


def _job_name(cron_job: Object, time: datetime) -> str:
    return f"{meta.name(cron_job)}-{int(time.timestamp()) // 60}"


def _job_of(cron_job: Object, time: datetime) -> Object:
    spec = cron_job["spec"]
    template = copy.deepcopy(spec["jobTemplate"])
    given = template.get("metadata") or {}
    local = time.astimezone(find_zone(spec["timeZone"]) if spec.get("timeZone") else UTC)
    scheduled = local.isoformat(timespec="seconds").replace("+00:00", "Z")
    metadata = {
        "name": _job_name(cron_job, time),
        "namespace": meta.namespace(cron_job),
        "labels": given.get("labels") or {},
        "annotations": (given.get("annotations") or {}) | {SCHEDULED: scheduled},
        "ownerReferences": [owner_reference(cron_job, CRON_JOBS)],
    }
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
