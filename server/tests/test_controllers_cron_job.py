"""CronJobs and what is left of their jobs; a day takes milliseconds."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import CRON_JOBS, EVENTS, JOBS, PODS
from kubeling.objects import meta
from kubeling.objects.cron import parse_schedule
from kubeling.objects.meta import Object
from server.controllers.cron_job.due import InvalidSchedule, most_recent, seconds_to_next
from server.tests.plane import Plane, started_plane
from server.tests.test_controllers_job import end_pod, events_of, pods_of, start_job

HOUR = 3600.0


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, JOBS, CRON_JOBS, EVENTS):
            plane.client.informer(resource)
        yield plane


async def start_cron_job(plane: Plane, schedule: str, **spec: Any) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    template = {
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"template": {"spec": pod}, "backoffLimit": 0},
    }
    cron_job = {"metadata": {"name": "cj"}, "spec": {"schedule": schedule, "jobTemplate": template, **spec}}
    return await plane.create(CRON_JOBS, cron_job)


def cron_job_of(plane: Plane) -> Object:
    cron_job = plane.get(CRON_JOBS, "cj")
    assert cron_job is not None
    return cron_job


def jobs_of(plane: Plane) -> list[str]:
    return sorted(meta.name(job) for job in plane.list(JOBS))


def minutes(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) // 60


async def end_all(plane: Plane, *, code: int = 0) -> None:
    for pod in pods_of(plane, "Pending"):
        await end_pod(plane, pod, code=code)


def _cron_job(*, last: str = "", deadline: int | None = None) -> Object:
    spec = {} if deadline is None else {"startingDeadlineSeconds": deadline}
    status = {"lastScheduleTime": last} if last else {}
    return {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("schedule", "now", "deadline", "time", "missed"),
    [
        ("0 * * * *", "2026-01-01T00:59:59Z", None, None, 0),
        ("0 * * * *", "2026-01-01T01:00:00Z", None, "2026-01-01T01:00:00Z", 0),
        ("0 * * * *", "2026-01-01T02:30:00Z", None, "2026-01-01T02:00:00Z", 2),
        ("0 * * * *", "2026-01-10T02:30:00Z", None, "2026-01-10T02:00:00Z", 218),
        ("0 * * * *", "2026-01-10T02:30:00Z", 4000, "2026-01-10T02:00:00Z", 0),
        ("0 * * * *", "2026-01-10T02:30:00Z", 60, None, 0),
        ("30 6-16/4 * * 1-5", "2026-01-05T11:00:00Z", None, "2026-01-05T10:30:00Z", 26),
        ("@every 7m", "2026-01-01T00:30:00Z", None, "2026-01-01T00:28:00Z", 4),
    ],
)
def test_the_most_recent_time_is_due(
    schedule: str, now: str, deadline: int | None, time: str | None, missed: int
) -> None:
    due = most_recent(_cron_job(deadline=deadline), parse_schedule(schedule), datetime.fromisoformat(now))
    assert (meta.timestamp(due.time) if due.time else None, due.missed) == (time, missed)


def test_a_schedule_without_times_is_invalid() -> None:
    now = datetime.fromisoformat("2026-01-01T00:00:00Z")
    with pytest.raises(InvalidSchedule):
        most_recent(_cron_job(), parse_schedule("0 0 31 2 *"), now)
    assert seconds_to_next(_cron_job(), parse_schedule("0 0 31 2 *"), now) is None


async def test_a_job_is_started_at_its_time(plane: Plane) -> None:
    cron_job = await start_cron_job(plane, "0 * * * *")
    await plane.advance(HOUR - 1)
    assert not jobs_of(plane)
    await plane.advance(2)
    name = f"cj-{minutes('2026-01-01T01:00:00Z')}"
    assert jobs_of(plane) == [name]
    job = plane.get(JOBS, name)
    assert job is not None
    assert meta.labels(job) == {"a": "b"}
    stamp = "batch.kubernetes.io/cronjob-scheduled-timestamp"
    assert meta.annotations(job) == {"c": "d", stamp: "2026-01-01T01:00:00Z"}
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", meta.uid(cron_job), True)
    status = cron_job_of(plane)["status"]
    assert status["lastScheduleTime"] == "2026-01-01T01:00:00Z"
    assert [reference["name"] for reference in status["active"]] == [name]
    assert events_of(plane, "cj") == [("SuccessfulCreate", f"Created job {name}")]


async def test_a_job_that_finishes_leaves_the_list(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *")
    await plane.advance(HOUR + 1)
    await end_all(plane)
    status = cron_job_of(plane)["status"]
    assert "active" not in status
    assert status["lastSuccessfulTime"] == "2026-01-01T01:00:01Z"
    (name,) = jobs_of(plane)
    assert events_of(plane, "cj")[-1] == (
        "SawCompletedJob",
        f"Saw completed job: {name}, condition: Complete",
    )


async def test_a_day_has_its_jobs_and_keeps_the_last_ones(plane: Plane) -> None:
    await start_cron_job(plane, "0 */3 * * *")
    for _ in range(24):
        await plane.advance(HOUR)
        await plane.advance(1)
        await end_all(plane)
    days = [f"2026-01-01T{hour}:00:00Z" for hour in (18, 21)]
    assert jobs_of(plane) == [f"cj-{minutes(day)}" for day in [*days, "2026-01-02T00:00:00Z"]]
    assert ("SuccessfulDelete", f"Deleted job cj-{minutes('2026-01-01T15:00:00Z')}") in events_of(plane, "cj")


async def test_failed_jobs_have_a_limit_of_their_own(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *")
    for _ in range(3):
        await plane.advance(HOUR + 1)
        await end_all(plane, code=1)
    assert jobs_of(plane) == [f"cj-{minutes('2026-01-01T03:00:00Z')}"]
    assert "lastSuccessfulTime" not in cron_job_of(plane)["status"]


async def test_jobs_may_run_at_the_same_time(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *")
    await plane.advance(2 * HOUR + 1)
    assert len(cron_job_of(plane)["status"]["active"]) == 2


async def test_forbid_leaves_out_times_while_a_job_runs(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *", concurrencyPolicy="Forbid")
    await plane.advance(2 * HOUR + 1)
    assert jobs_of(plane) == [f"cj-{minutes('2026-01-01T01:00:00Z')}"]
    text = "Not starting job because prior execution is running and concurrency policy is Forbid"
    assert ("JobAlreadyActive", text) in events_of(plane, "cj")
    await end_all(plane)
    assert f"cj-{minutes('2026-01-01T02:00:00Z')}" in jobs_of(plane)


async def test_replace_ends_the_job_that_runs(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *", concurrencyPolicy="Replace")
    await plane.advance(2 * HOUR + 1)
    name = f"cj-{minutes('2026-01-01T02:00:00Z')}"
    assert jobs_of(plane) == [name]
    assert [reference["name"] for reference in cron_job_of(plane)["status"]["active"]] == [name]


async def test_a_suspended_cron_job_starts_nothing_and_catches_up_once(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *", suspend=True)
    await plane.advance(5 * HOUR + 1)
    assert not jobs_of(plane)
    await plane.patch(CRON_JOBS, "cj", {"spec": {"suspend": False}})
    assert jobs_of(plane) == [f"cj-{minutes('2026-01-01T05:00:00Z')}"]


async def test_a_time_that_is_missed_by_more_than_the_deadline_is_left_out(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *", suspend=True, startingDeadlineSeconds=300)
    await plane.advance(5 * HOUR + 600)
    await plane.patch(CRON_JOBS, "cj", {"spec": {"suspend": False}})
    assert not jobs_of(plane)
    await plane.advance(HOUR)
    assert jobs_of(plane) == [f"cj-{minutes('2026-01-01T06:00:00Z')}"]


async def test_of_more_than_a_hundred_missed_times_a_warning_is_given(plane: Plane) -> None:
    await start_cron_job(plane, "* * * * *", suspend=True)
    await plane.advance(2 * HOUR)
    await plane.patch(CRON_JOBS, "cj", {"spec": {"suspend": False}})
    text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
    assert ("TooManyMissedTimes", text) in events_of(plane, "cj")
    assert jobs_of(plane) == [f"cj-{minutes('2026-01-01T02:00:00Z')}"]


async def test_the_schedule_is_read_in_its_time_zone(plane: Plane) -> None:
    await start_cron_job(plane, "30 9 * * *", timeZone="Asia/Tokyo")
    await plane.advance(1801)
    (job,) = plane.list(JOBS)
    stamp = "batch.kubernetes.io/cronjob-scheduled-timestamp"
    assert meta.annotations(job)[stamp] == "2026-01-01T09:30:00+09:00"


async def test_a_new_schedule_begins_at_its_next_time(plane: Plane) -> None:
    await start_cron_job(plane, "0 12 * * *")
    await plane.advance(3 * HOUR)
    await plane.patch(CRON_JOBS, "cj", {"spec": {"schedule": "30 * * * *"}})
    assert not jobs_of(plane)
    await plane.advance(HOUR)
    assert jobs_of(plane) == [f"cj-{minutes('2026-01-01T03:30:00Z')}"]


async def test_a_job_that_somebody_deletes_is_missing(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *")
    await plane.advance(HOUR + 1)
    (name,) = jobs_of(plane)
    await plane.client.delete(JOBS, name, namespace="ns", propagation_policy="Background")
    await plane.settle()
    assert "active" not in cron_job_of(plane)["status"]
    assert events_of(plane, "cj")[-1] == ("MissingJob", f"Active job went missing: {name}")
    assert not jobs_of(plane)  # it is not started again


async def test_a_job_that_was_made_before_the_controller_stopped_is_taken_up(plane: Plane) -> None:
    await start_cron_job(plane, "0 * * * *")
    await plane.advance(HOUR + 1)

    async def forget() -> None:
        gone = {"active": None, "lastScheduleTime": None}
        await plane.patch(CRON_JOBS, "cj", {"status": gone}, subresource="status")

    await plane.restart_controllers(between=forget)
    (name,) = jobs_of(plane)
    status = cron_job_of(plane)["status"]
    assert [reference["name"] for reference in status["active"]] == [name]
    text = f"Saw a job that the controller did not create or forgot: {name}"
    assert ("UnexpectedJob", text) in events_of(plane, "cj")


async def test_a_finished_job_goes_after_its_ttl(plane: Plane) -> None:
    await start_job(plane, ttlSecondsAfterFinished=100)
    await plane.advance(500)
    assert jobs_of(plane) == ["j"]
    await end_all(plane)
    await plane.advance(99)
    assert jobs_of(plane) == ["j"]
    await plane.advance(1)
    job = plane.get(JOBS, "j")
    assert job is None or meta.is_terminating(job)


async def test_a_ttl_that_is_set_later_counts_from_the_end(plane: Plane) -> None:
    await start_job(plane)
    await end_all(plane)
    await plane.advance(50)
    await plane.patch(JOBS, "j", {"spec": {"ttlSecondsAfterFinished": 60}})
    await plane.advance(9)
    assert jobs_of(plane) == ["j"]
    await plane.advance(1)
    job = plane.get(JOBS, "j")
    assert job is None or meta.is_terminating(job)
