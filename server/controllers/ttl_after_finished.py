"""Deletes jobs, and what they own, when ttlSecondsAfterFinished have passed since they finished."""

from contextlib import suppress
from datetime import datetime

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import JOBS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

_FINISHED = ("Complete", "Failed")


def make(context: Context) -> Controller:
    client, clock = context.client, context.clock
    jobs = client.informer(JOBS)

    async def reconcile(key: str) -> Result:
        job = jobs.get(*meta.split_key(key))
        wait = _seconds_left(job, clock.now()) if job is not None else None
        if job is None or wait is None:
            return DONE
        if wait > 0:
            return Result(requeue_after=wait)
        with suppress(NotFound):  # its time may have been prolonged, which the cache may not show
            job = await client.get(JOBS, meta.name(job), namespace=meta.namespace(job))
            wait = _seconds_left(job, clock.now())
            if wait is not None and wait <= 0:
                await _delete(job)
        return Result(requeue_after=wait) if wait is not None and wait > 0 else DONE

    async def _delete(job: Object) -> None:
        await client.delete(
            JOBS,
            meta.name(job),
            namespace=meta.namespace(job),
            preconditions={"uid": meta.uid(job)},
            propagation_policy="Foreground",
        )

    runner = ControllerRunner("ttl-after-finished-controller", reconcile, clock=clock)
    runner.watches(jobs, lambda job: meta.key(job) if _is_limited(job) else None)
    return runner


def _is_limited(job: Object) -> bool:
    return job["spec"].get("ttlSecondsAfterFinished") is not None and not meta.is_terminating(job)


def _seconds_left(job: Object, now: datetime) -> float | None:
    """None for a job that has no limit, goes already, or has not finished."""
    if not _is_limited(job):
        return None
    for kind in _FINISHED:
        if conditions.is_true(job, kind) and (condition := conditions.find(job, kind)) is not None:
            since = now - meta.parse_timestamp(condition["lastTransitionTime"])
            return float(job["spec"]["ttlSecondsAfterFinished"]) - since.total_seconds()
    return None
