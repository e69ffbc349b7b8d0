"""Counts pods that have ended, each exactly once, also if the controller stops between any two writes.

First their uids go into the job's status as uncounted, then their finalizers are removed, then the uids leave
the status and the counters go up. The indexes of an indexed job that have succeeded need no uids: an index is
counted by being there. Only when nothing is uncounted and no pod is terminating is the final condition set.
"""

from kubeling.client import Client
from kubeling.client.event_recorder import NORMAL, WARNING, EventRecorder
from kubeling.client.resources import JOBS
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from server.controllers.job import conditions
from server.controllers.job.backoff import Failures
from server.controllers.job.failure_policy import judge
from server.controllers.job.finalizers import Finalizers
from server.controllers.job.indexes import UNKNOWN, index_of
from server.controllers.job.tracked import Tracked, has_succeeded, is_indexed, limits_each_index
from server.controllers.job.verdict import failed_by

MOST_UNCOUNTED = 500
"""So that the uids in a status stay below 20 KB."""

Event = tuple[str, str, str]


class Accounting:
    def __init__(self, client: Client, clock: Clock, recorder: EventRecorder, finalizers: Finalizers) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._finalizers = finalizers
        self.failures: dict[str, Failures] = {}
        """By job, its failures in a row; kept in memory only, as upstream does."""
        self._written: dict[str, tuple[str, int]] = {}
        """By job, its uid and its revision as it was written last."""

    def is_stale(self, key: str, job: Object) -> bool:
        """Whether the cache lags behind what was written: it will show that, and wake the job."""
        uid, revision = self._written.get(key, ("", 0))
        return uid == meta.uid(job) and int(meta.resource_version(job)) < revision

    def forget(self, key: str) -> None:
        """The job is gone."""
        self.failures.pop(key, None)
        self._written.pop(key, None)

    async def settle(
        self,
        tracked: Tracked,
        ending: Object | None,
        last_failed: dict[int, Object],
        *,
        changed: bool,
        events: list[Event],
        failures: Failures,
    ) -> Object:
        """Count what has ended and write the status, if it `changed` or does so now; the job as it is then.

        `ending` is the condition that ends the job; `events` and `failures` are recorded with the status.
        """
        uids = {meta.uid(pod) for pod in tracked.pods if tracked.is_new(pod)}
        changed |= _count(tracked.status, uids)
        ended, more, added = _take_in(tracked, ending, last_failed)
        changed |= added
        if is_indexed(tracked.job):
            changed |= _note_indexes(tracked)
        final, announced = self._announce(tracked.job, ending)
        changed |= announced
        job = tracked.job
        if changed:
            job = await self._write(job, events)
        self.failures[meta.key(job)] = failures
        removed, failure = await self._finalizers.remove(meta.key(job), ended)
        changed = _count(job["status"], uids - removed)
        if failure is not None:
            if changed:
                await self._write(job, [])
            raise failure
        if final is not None and not more and not tracked.terminating and _finish(job, final):
            return await self._write(job, _final_events(job, final))
        return await self._write(job, []) if changed else job

    def _announce(self, job: Object, ending: Object | None) -> tuple[Object | None, bool]:
        """The final condition that follows; and whether the one before it had to be added to the status."""
        now = self._clock.now()
        if ending is None or ending["type"] == conditions.FAILED:
            return ending, False
        announced = conditions.find_true(job, ending["type"]) is None
        if announced:
            conditions.append(job, ending)
        if ending["type"] == conditions.FAILURE_TARGET:
            return failed_by(ending, now), announced
        final = conditions.make(conditions.COMPLETE, ending["reason"], ending["message"], now=now)
        return final, announced

    async def _write(self, job: Object, events: list[Event]) -> Object:
        """Raises: Conflict, when the cache showed a job that is not current."""
        for name in ("active", "succeeded", "failed"):
            if not job["status"].get(name):
                job["status"].pop(name, None)
        written = await self._client.update(JOBS, job, subresource="status")
        self._written[meta.key(written)] = (meta.uid(written), int(meta.resource_version(written)))
        for kind, reason, message in events:
            self._recorder.event(written, kind, reason, message)
        return written


def _count(status: Object, uids: set[str]) -> bool:
    """Count the uncounted pods that are not in `uids`: their finalizers are gone. Whether there were any."""
    uncounted = status.setdefault("uncountedTerminatedPods", {})
    counted = 0
    for name in ("succeeded", "failed"):
        listed: list[str] = uncounted.pop(name, None) or []
        left = [uid for uid in listed if uid in uids]
        if left:
            uncounted[name] = left
        counted += len(listed) - len(left)
        status[name] = status.get(name, 0) + len(listed) - len(left)
    return counted > 0


def _take_in(
    tracked: Tracked, ending: Object | None, last_failed: dict[int, Object]
) -> tuple[list[Object], bool, bool]:
    """The pods whose finalizers may go; whether there were too many for once; whether the status changed."""
    uncounted = tracked.status["uncountedTerminatedPods"]
    ended: list[Object] = []
    added = 0
    known = len(uncounted.get("succeeded", ())) + len(uncounted.get("failed", ()))
    pods = sorted(tracked.pods, key=index_of) if is_indexed(tracked.job) else tracked.pods
    for pod in pods:
        if not tracked.is_new(pod) or not _may_go(tracked, pod, ending, last_failed):
            continue
        ended.append(pod)
        added += _list(tracked, pod, uncounted, ending)
        if known + added >= MOST_UNCOUNTED or len(ended) >= MOST_UNCOUNTED:
            return ended, True, added > 0
    return ended, False, added > 0


def _may_go(tracked: Tracked, pod: Object, ending: Object | None, last_failed: dict[int, Object]) -> bool:
    """Whether the pod's end is known, and nobody has to read it any more."""
    if ending is not None or meta.is_terminating(tracked.job) or has_succeeded(pod):
        return True
    if not tracked.has_failed(pod):
        return False
    awaits_replacement = limits_each_index(tracked.job) and last_failed.get(index_of(pod)) is pod
    return not awaits_replacement


def _list(tracked: Tracked, pod: Object, uncounted: Object, ending: Object | None) -> int:
    """List the pod as uncounted, if it counts and is not listed; how many were listed."""
    uid, indexed = meta.uid(pod), is_indexed(tracked.job)
    if uid in tracked.uncounted_failed:
        return 0
    if has_succeeded(pod):
        if indexed or uid in tracked.uncounted_succeeded:
            return 0
        uncounted.setdefault("succeeded", []).append(uid)
        return 1
    fails = ending is not None and ending["type"] != conditions.SUCCESS_CRITERIA_MET
    if not (fails or tracked.has_failed(pod)) or (indexed and tracked.valid_index(pod) == UNKNOWN):
        return 0
    if not judge(tracked.job, pod).counted:
        return 0
    uncounted.setdefault("failed", []).append(uid)
    return 1


def _note_indexes(tracked: Tracked) -> bool:
    """Put the indexes into the status; whether they changed."""
    status = tracked.status
    noted: Object = {"completedIndexes": str(tracked.succeeded_indexes)}
    if limits_each_index(tracked.job):
        noted["failedIndexes"] = str(tracked.failed_indexes)
    status["succeeded"] = len(tracked.succeeded_indexes)
    before = {name: status.get(name, "" if name == "completedIndexes" else None) for name in noted}
    status.update(noted)
    if not status["completedIndexes"]:
        del status["completedIndexes"]
    return before != noted


def _finish(job: Object, final: Object) -> bool:
    """Set the final condition, unless something is uncounted still."""
    if job["status"]["uncountedTerminatedPods"]:
        return False
    conditions.ensure(job, final)
    if final["type"] == conditions.COMPLETE:
        job["status"]["completionTime"] = final["lastTransitionTime"]
    return True


def _final_events(job: Object, final: Object) -> list[Event]:
    if final["type"] == conditions.FAILED:
        return [(WARNING, final["reason"], final["message"])]
    completions = job["spec"].get("completions")
    events: list[Event] = []
    if completions is not None and job["status"].get("succeeded", 0) > completions:
        message = "Too many succeeded pods running after completion count reached"
        events.append((WARNING, "TooManySucceededPods", message))
    return [*events, (NORMAL, "Completed", "Job completed")]
