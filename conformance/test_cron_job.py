"""CronJobs: concurrency policies, suspension, history, life. Those that need two minutes share them."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance import pods, space
from conformance.cluster import Cluster
from conformance.jobs import GROUP, NEVER_ENDS
from conformance.kubectl import Kubectl
from conformance.rest import Rest
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
OFTEN = "@every 1s"
"""The first job comes after a second; a job's name holds its minute, so the second one in the next minute."""
MINUTES = 100


def cron_job(image: str, name: str, script: str = "exit 0", *, schedule: str = OFTEN, **spec: Any) -> Object:
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [pods.container(image, script, name="c")],
    }
    template = {"metadata": {"labels": {"cron": name}}, "spec": {"template": {"spec": pod}}}
    metadata = {"name": name, "labels": {"cron": name}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": {"schedule": schedule, "jobTemplate": template, **spec},
    }


def start(where: Space, name: str, script: str = "exit 0", **spec: Any) -> Object:
    obj = cron_job(where.image, name, script, **spec)
    made: Object = where.rest.post(where.path("cronjobs", group=GROUP), obj)
    return made


def get(where: Space, name: str) -> Object:
    found: Object = where.rest.get(where.path("cronjobs", name, group=GROUP))
    return found


def jobs(where: Space, name: str) -> list[Object]:
    found = where.rest.get(where.path("jobs", group=GROUP), labelSelector=f"cron={name}")["items"]
    return sorted(found, key=lambda job: str(job["metadata"]["name"]))


def active(where: Space, name: str) -> list[str]:
    return [each["name"] for each in get(where, name)["status"].get("active") or []]


@pytest.fixture(scope="module")
def minutes(virtual: Cluster, virtual_rest: Rest) -> Iterator[Space]:
    """CronJobs of each policy whose first job still runs when the next one is due."""
    with space.opened(virtual_rest, virtual.image) as where:
        for policy in ("Allow", "Forbid", "Replace"):
            start(where, policy.lower(), NEVER_ENDS, concurrencyPolicy=policy)
        for policy in ("allow", "forbid", "replace"):
            where.event(policy, "SuccessfulCreate")
        yield where


def test_a_job_comes_when_it_is_due(virtual_space: Space) -> None:
    made = start(virtual_space, "due")
    eventually(lambda: jobs(virtual_space, "due"), what="a job is there")
    (job,) = jobs(virtual_space, "due")
    name = job["metadata"]["name"]
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("CronJob", made["metadata"]["uid"])
    assert "batch.kubernetes.io/cronjob-scheduled-timestamp" in job["metadata"]["annotations"]
    assert virtual_space.event("due", "SuccessfulCreate")["message"] == f"Created job {name}"
    text = f"Saw completed job: {name}, condition: Complete"
    assert virtual_space.event("due", "SawCompletedJob")["message"] == text

    def noted() -> bool:
        status = get(virtual_space, "due")["status"]
        return "lastSuccessfulTime" in status and not status.get("active")

    eventually(noted, what="its success is noted")


def test_a_suspended_cron_job_starts_nothing(virtual_space: Space) -> None:
    start(virtual_space, "still", suspend=True)
    start(virtual_space, "busy")
    virtual_space.event("busy", "SawCompletedJob")
    assert jobs(virtual_space, "still") == []
    virtual_space.rest.patch(
        virtual_space.path("cronjobs", "still", group=GROUP), {"spec": {"suspend": False}}
    )
    eventually(lambda: jobs(virtual_space, "still"), what="it starts a job when it goes on")


def test_several_jobs_run_at_the_same_time(minutes: Space) -> None:
    eventually(lambda: len(active(minutes, "allow")) >= 2, what="two jobs are active", timeout=MINUTES)
    assert len(jobs(minutes, "allow")) >= 2


def test_no_job_is_started_while_another_runs(minutes: Space) -> None:
    event = minutes.event("forbid", "JobAlreadyActive", timeout=MINUTES)
    assert event["message"] == (
        "Not starting job because prior execution is running and concurrency policy is Forbid"
    )
    assert len(jobs(minutes, "forbid")) == len(active(minutes, "forbid")) == 1


def test_a_job_that_runs_is_replaced(minutes: Space) -> None:
    event = minutes.event("replace", "SuccessfulDelete", timeout=MINUTES)
    first = event["message"].removeprefix("Deleted job ")

    def replaced() -> bool:
        names = [job["metadata"]["name"] for job in jobs(minutes, "replace")]
        return len(names) == 1 and first not in names and active(minutes, "replace") == names

    eventually(replaced, what="only the second job is there")


def test_finished_jobs_are_kept_up_to_a_limit(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    start(virtual_space, "history", suspend=True, successfulJobsHistoryLimit=1)
    for name in ("first", "second"):
        virtual_kubectl("create", "job", name, "--from=cronjob/history")
        virtual_space.event(name, "Completed")
        eventually(lambda: len(jobs(virtual_space, "history")) == 1, what="one job is left")
    (left,) = jobs(virtual_space, "history")
    deleted = virtual_space.event("history", "SuccessfulDelete")["message"].removeprefix("Deleted job ")
    assert {left["metadata"]["name"], deleted} == {"first", "second"}


def test_the_life_of_a_cron_job(virtual_space: Space) -> None:
    rest, collection = virtual_space.rest, virtual_space.path("cronjobs", group=GROUP)
    start(virtual_space, "life", schedule="0 0 1 1 *")
    path = f"{collection}/life"
    rest.patch(path, {"metadata": {"annotations": {"patched": "true"}}})
    found = rest.get(path)
    found["metadata"]["annotations"]["updated"] = "true"
    assert rest.put(path, found)["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
    everywhere = rest.get("/apis/batch/v1/cronjobs", labelSelector="cron=life")["items"]
    assert [each["metadata"]["namespace"] for each in everywhere] == [virtual_space.name]
    moment = "2026-01-01T00:00:00Z"
    patched = rest.patch(f"{path}/status", {"status": {"lastScheduleTime": moment}})
    assert patched["status"]["lastScheduleTime"] == moment
    current = rest.get(f"{path}/status")
    current["status"]["lastScheduleTime"] = "2026-01-02T00:00:00Z"
    assert rest.put(f"{path}/status", current)["status"] == current["status"]
    rest.delete(collection, labelSelector="cron=life")
    rest.gone(path)


def test_a_job_is_made_from_a_cron_job_by_hand(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    start(virtual_space, "yearly", schedule="0 0 1 1 *")
    virtual_kubectl("create", "job", "now", "--from=cronjob/yearly")
    virtual_kubectl("wait", "--for=condition=Complete", "job/now", "--timeout=30s")
    job = virtual_kubectl.json("get", "job", "now")
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert job["metadata"]["ownerReferences"][0]["name"] == "yearly"
    line = virtual_kubectl("get", "cronjob", "yearly", "--no-headers").text.split()
    assert line[:5] == ["yearly", "0", "0", "1", "1"]


def test_deleting_a_cron_job_deletes_its_jobs(virtual_space: Space) -> None:
    start(virtual_space, "gone", NEVER_ENDS)
    eventually(lambda: jobs(virtual_space, "gone"), what="a job is there")
    virtual_space.rest.delete(virtual_space.path("cronjobs", "gone", group=GROUP))
    eventually(lambda: not jobs(virtual_space, "gone"), what="its jobs are gone")


def test_a_schedule_in_a_time_zone_is_kept(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    start(virtual_space, "zone", schedule="0 0 1 1 *", timeZone="Asia/Tokyo")
    line = virtual_kubectl("get", "cronjob", "zone", "--no-headers").text
    assert "Asia/Tokyo" in line
    wrong = cron_job(virtual_space.image, "moon", timeZone="Moon/Base")
    path = virtual_space.path("cronjobs", group=GROUP)
    refusal = virtual_space.rest.refusal(422, "POST", path, wrong)
    assert "unknown time zone Moon/Base" in refusal["message"]


def test_a_cron_job_on_real_containers(space: Space, containers: None) -> None:
    start(space, "real", "echo done")
    assert "condition: Complete" in space.event("real", "SawCompletedJob", timeout=60)["message"]
