"""Jobs on a control plane without nodes: the test says what becomes of pods."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import EVENTS, JOBS, PODS, Resource
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.tests.plane import Plane, started_plane

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, JOBS, EVENTS):
            plane.client.informer(resource)
        yield plane


async def start_job(plane: Plane, name: str = "j", *, restart: str = "Never", **spec: object) -> Object:
    pod = {"restartPolicy": restart, "containers": [{"name": "c", "image": "i"}]}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod}
    return await plane.create(JOBS, {"metadata": {"name": name}, "spec": {**spec, "template": template}})


def job_of(plane: Plane, name: str = "j") -> Object:
    job = plane.get(JOBS, name)
    assert job is not None
    return job


def pods_of(plane: Plane, *phases: str) -> list[Object]:
    """In order of their index or name; of these phases, or all."""
    found = [pod for pod in plane.list(PODS) if not phases or pod["status"].get("phase") in phases]
    return sorted(found, key=lambda pod: (int(meta.annotations(pod).get(INDEX, 0)), meta.name(pod)))


def ended(code: int) -> Object:
    return {"name": "c", "image": "i", "imageID": "", "state": {"terminated": {"exitCode": code}}}


async def end_pod(plane: Plane, pod: Object, *, code: int = 0, **status: object) -> None:
    """As a kubelet does: the container's end, at this moment."""
    container = ended(code) | {"ready": False, "restartCount": 0}
    container["state"]["terminated"]["finishedAt"] = meta.timestamp(plane.clock.now())
    phase = "Failed" if code else "Succeeded"
    said: dict[str, Any] = {"containerStatuses": [container], **status}
    await plane.set_pod(meta.name(pod), phase, **said)


async def finish_deletion(plane: Plane, pod: Object) -> None:
    await plane.client.delete(PODS, meta.name(pod), namespace="ns", grace_period_seconds=0)
    await plane.settle()


def events_of(plane: Plane, name: str = "j") -> list[tuple[str, str]]:
    found = [event for event in plane.list(EVENTS) if event["involvedObject"]["name"] == name]
    return [(event["reason"], event["message"]) for event in found]


def condition(job: Object, kind: str) -> tuple[str, str, str]:
    found = conditions.find(job, kind)
    assert found is not None, (kind, job["status"])
    return found["status"], found["reason"], found["message"]


async def test_a_job_runs_one_pod_and_is_complete_when_it_has_succeeded(plane: Plane) -> None:
    job = await start_job(plane)
    (pod,) = pods_of(plane)
    assert pod["metadata"]["finalizers"] == [TRACKING]
    assert pod["metadata"]["generateName"] == "j-"
    assert meta.labels(pod) == {
        "app": "x",
        "batch.kubernetes.io/controller-uid": meta.uid(job),
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": meta.uid(job),
        "job-name": "j",
    }
    await plane.set_pod(meta.name(pod))
    status = job_of(plane)["status"]
    assert status == {
        "active": 1,
        "ready": 1,
        "terminating": 0,
        "startTime": "2026-01-01T00:00:00Z",
        "uncountedTerminatedPods": {},
    }
    await plane.advance(5)
    await end_pod(plane, pod)
    job = job_of(plane)
    reason = ("True", "CompletionsReached", "Reached expected number of succeeded pods")
    assert condition(job, "SuccessCriteriaMet") == condition(job, "Complete") == reason
    assert job["status"]["succeeded"] == 1
    assert "active" not in job["status"]
    assert job["status"]["completionTime"] == "2026-01-01T00:00:05Z"
    assert "finalizers" not in pods_of(plane)[0]["metadata"]
    created = ("SuccessfulCreate", f"Created pod: {meta.name(pod)}")
    assert events_of(plane) == [created, ("Completed", "Job completed")]


async def test_no_more_pods_run_than_parallelism_and_completions_allow(plane: Plane) -> None:
    await start_job(plane, completions=3, parallelism=2)
    assert len(pods_of(plane)) == 2
    await end_pod(plane, pods_of(plane)[0])
    assert len(pods_of(plane, "Pending")) == 2
    await end_pod(plane, pods_of(plane, "Pending")[0])
    assert len(pods_of(plane, "Pending")) == 1
    await end_pod(plane, pods_of(plane, "Pending")[0])
    assert job_of(plane)["status"]["succeeded"] == 3
    assert len(pods_of(plane)) == 3


async def test_a_work_queue_starts_no_pods_after_its_first_success(plane: Plane) -> None:
    await start_job(plane, parallelism=3)
    first, second, third = pods_of(plane)
    await end_pod(plane, first)
    assert len(pods_of(plane)) == 3
    await end_pod(plane, second, code=1)
    assert len(pods_of(plane)) == 3
    await end_pod(plane, third)
    assert conditions.is_true(job_of(plane), "Complete")
    assert (job_of(plane)["status"]["succeeded"], job_of(plane)["status"]["failed"]) == (2, 1)


async def test_a_job_with_more_pods_than_parallelism_deletes_the_least_far(plane: Plane) -> None:
    await start_job(plane, completions=5, parallelism=3)
    await plane.set_pod(meta.name(pods_of(plane)[1]))
    await plane.patch(JOBS, "j", {"spec": {"parallelism": 1}})
    (left,) = pods_of(plane)
    assert left["status"]["phase"] == "Running"
    assert job_of(plane)["status"].get("failed", 0) == 0
    await plane.patch(JOBS, "j", {"spec": {"parallelism": 0}})
    assert "active" not in job_of(plane)["status"]


async def test_failed_pods_are_replaced_after_a_back_off_that_doubles(plane: Plane) -> None:
    await start_job(plane)
    for delay in (10, 20, 40):
        await end_pod(plane, pods_of(plane, "Pending")[0], code=1)
        await plane.advance(delay - 1)
        assert not pods_of(plane, "Pending")
        await plane.advance(1)
        assert len(pods_of(plane, "Pending")) == 1
    assert job_of(plane)["status"]["failed"] == 3


async def test_a_success_ends_the_back_off(plane: Plane) -> None:
    await start_job(plane, completions=3, parallelism=2)
    one, other = pods_of(plane)
    await end_pod(plane, one, code=1)
    await plane.advance(1)
    await end_pod(plane, other)
    assert len(pods_of(plane, "Pending")) == 2


async def test_past_the_backoff_limit_a_job_fails(plane: Plane) -> None:
    await start_job(plane, backoffLimit=1, parallelism=2, completions=2)
    for pod in pods_of(plane)[:1]:
        await end_pod(plane, pod, code=1)
    await plane.advance(10)
    dead = pods_of(plane, "Pending")[0]
    await end_pod(plane, dead, code=1)
    job = job_of(plane)
    reason = ("True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert condition(job, "FailureTarget") == condition(job, "Failed") == reason
    assert job["status"]["failed"] == 3  # the one that was deleted, too
    assert "completionTime" not in job["status"]
    assert events_of(plane)[-1] == reason[1:]


async def test_a_job_that_fails_waits_for_its_pods_to_end(plane: Plane) -> None:
    await plane.add_node()
    await start_job(plane, backoffLimit=0, parallelism=2, completions=2)
    dead, alive = pods_of(plane)
    await bind(plane, alive)
    await end_pod(plane, dead, code=1)
    job = job_of(plane)
    assert conditions.is_true(job, "FailureTarget")
    assert not conditions.is_true(job, "Failed")
    assert job["status"]["terminating"] == 1
    assert "active" not in job["status"]
    assert ("SuccessfulDelete", f"Deleted pod: {meta.name(alive)}") in events_of(plane)
    await finish_deletion(plane, alive)
    job = job_of(plane)
    assert conditions.is_true(job, "Failed")
    assert (job["status"]["terminating"], job["status"]["failed"]) == (0, 2)


async def bind(plane: Plane, pod: Object) -> None:
    """To a node, so that its deletion takes its grace period."""
    target = {"apiVersion": "v1", "kind": "Node", "name": "n"}
    await plane.client.create(
        PODS,
        {"metadata": {"name": meta.name(pod), "namespace": "ns"}, "target": target},
        subresource="binding",
    )
    await plane.set_pod(meta.name(pod))


async def test_restarts_in_place_count_towards_the_limit(plane: Plane) -> None:
    await start_job(plane, restart="OnFailure", backoffLimit=2)
    (pod,) = pods_of(plane)
    container = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 1}
    await plane.set_pod(meta.name(pod), containerStatuses=[container])
    assert not conditions.is_true(job_of(plane), "FailureTarget")
    await plane.set_pod(meta.name(pod), containerStatuses=[container | {"restartCount": 2}])
    assert condition(job_of(plane), "Failed")[1] == "BackoffLimitExceeded"


async def test_a_job_fails_at_its_deadline(plane: Plane) -> None:
    await start_job(plane, activeDeadlineSeconds=100)
    await plane.advance(99)
    assert not conditions.is_true(job_of(plane), "Failed")
    await plane.advance(1)
    job = job_of(plane)
    assert condition(job, "Failed") == (
        "True",
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    )
    assert not pods_of(plane)


async def test_a_suspended_job_has_no_pods_and_starts_when_it_is_resumed(plane: Plane) -> None:
    await start_job(plane, suspend=True, activeDeadlineSeconds=100)
    assert not pods_of(plane)
    assert condition(job_of(plane), "Suspended") == ("True", "JobSuspended", "Job suspended")
    assert "startTime" not in job_of(plane)["status"]
    await plane.advance(200)
    await plane.patch(JOBS, "j", {"spec": {"suspend": False}})
    assert len(pods_of(plane)) == 1
    assert condition(job_of(plane), "Suspended") == ("False", "JobResumed", "Job resumed")
    assert job_of(plane)["status"]["startTime"] == "2026-01-01T00:03:20Z"
    assert [reason for reason, _ in events_of(plane)] == ["Suspended", "SuccessfulCreate", "Resumed"]


async def test_suspending_deletes_active_pods_without_counting_them(plane: Plane) -> None:
    await start_job(plane, parallelism=2, completions=2)
    await plane.patch(JOBS, "j", {"spec": {"suspend": True}})
    assert not pods_of(plane)
    status = job_of(plane)["status"]
    assert status.get("failed", 0) == status.get("active", 0) == 0
    assert "startTime" not in status


async def test_a_suspended_job_is_placed_anew(plane: Plane) -> None:
    await start_job(plane)
    await plane.patch(JOBS, "j", {"spec": {"suspend": True}})
    pool = {"template": {"spec": {"nodeSelector": {"pool": "b"}}}}
    await plane.patch(JOBS, "j", {"spec": {"suspend": False, **pool}})
    (pod,) = pods_of(plane)
    assert pod["spec"]["nodeSelector"] == {"pool": "b"}


async def test_a_job_that_somebody_else_manages_is_left_alone(plane: Plane) -> None:
    await start_job(plane, managedBy="example.com/other")
    assert not pods_of(plane)
    assert job_of(plane)["status"] == {}


async def test_pods_are_counted_once_when_the_controller_stopped_after_listing_them(plane: Plane) -> None:
    await start_job(plane, completions=2, parallelism=1)
    (pod,) = pods_of(plane)
    assert plane.controllers is not None
    await plane.restart_controllers(between=lambda: listed(plane, pod))
    status = job_of(plane)["status"]
    assert (status["succeeded"], status["uncountedTerminatedPods"]) == (1, {})
    assert "finalizers" not in plane.get(PODS, meta.name(pod))["metadata"]  # type: ignore[index]
    assert len(pods_of(plane)) == 2


async def listed(plane: Plane, pod: Object) -> None:
    """What a controller leaves that stops after its first write."""
    await end_pod(plane, pod)
    uncounted = {"uncountedTerminatedPods": {"succeeded": [meta.uid(pod)]}}
    await plane.patch(JOBS, "j", {"status": uncounted}, subresource="status")


async def test_pods_are_counted_once_when_the_controller_stopped_before_the_last_write(plane: Plane) -> None:
    await start_job(plane, completions=2, parallelism=1)
    (pod,) = pods_of(plane)

    async def meanwhile() -> None:
        await listed(plane, pod)
        await plane.patch(PODS, meta.name(pod), {"metadata": {"finalizers": None}})

    await plane.restart_controllers(between=meanwhile)
    status = job_of(plane)["status"]
    assert (status["succeeded"], status["uncountedTerminatedPods"]) == (1, {})
    assert len(pods_of(plane)) == 2


async def test_pods_of_a_deleted_job_lose_their_finalizer(plane: Plane) -> None:
    await start_job(plane)
    await plane.client.delete(JOBS, "j", namespace="ns", propagation_policy="Background")
    await plane.settle()
    assert all("finalizers" not in pod["metadata"] for pod in pods_of(plane))


async def test_a_pod_that_loses_its_owner_and_label_is_released_without_finalizer(plane: Plane) -> None:
    await start_job(plane)
    (pod,) = pods_of(plane)
    await plane.patch(
        PODS, meta.name(pod), {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": None}}}
    )
    released = plane.get(PODS, meta.name(pod))
    assert released is not None
    assert "finalizers" not in released["metadata"]
    assert "ownerReferences" not in released["metadata"]
    assert len(pods_of(plane)) == 2


async def test_a_pod_whose_owner_is_taken_away_is_adopted_again(plane: Plane) -> None:
    job = await start_job(plane)
    (pod,) = pods_of(plane)
    await plane.patch(PODS, meta.name(pod), {"metadata": {"ownerReferences": None}})
    (adopted,) = pods_of(plane)
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == meta.uid(job)
    assert adopted["metadata"]["finalizers"] == [TRACKING]


async def test_a_job_of_the_same_name_begins_anew(plane: Plane) -> None:
    await start_job(plane)
    await end_pod(plane, pods_of(plane)[0], code=1)
    await plane.client.delete(JOBS, "j", namespace="ns", propagation_policy="Background")
    made = await start_job(plane)
    owners = [pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods_of(plane, "Pending")]
    assert owners == [meta.uid(made)]  # at once: the failure was the other's


async def test_a_quota_that_refuses_pods_is_told_of(plane: Plane) -> None:
    quota = Resource("", "v1", "resourcequotas", "ResourceQuota")
    await plane.create(quota, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    await start_job(plane, completions=3, parallelism=3)
    assert not pods_of(plane)
    reason, message = events_of(plane)[0]
    assert reason == "FailedCreate"
    assert "exceeded quota: none" in message
    await plane.patch(quota, "none", {"spec": {"hard": {"pods": "9"}}})
    await plane.advance(60)
    assert len(pods_of(plane)) == 3


async def test_pods_that_their_job_leaves_behind_are_free(plane: Plane) -> None:
    await start_job(plane)
    await plane.client.delete(JOBS, "j", namespace="ns", propagation_policy="Orphan")
    await plane.settle()
    assert plane.get(JOBS, "j") is None
    (left,) = pods_of(plane)
    assert "finalizers" not in left["metadata"]
    assert "ownerReferences" not in left["metadata"]
