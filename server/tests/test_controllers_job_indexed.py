"""Indexed jobs, and the policies by which jobs fail or succeed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import EVENTS, JOBS, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.job.failure_policy import Judgement, judge
from server.controllers.job.indexes import Indexes
from server.controllers.job.success_policy import matched_rule
from server.tests.plane import Plane, started_plane
from server.tests.test_controllers_job import (
    INDEX,
    bind,
    condition,
    end_pod,
    events_of,
    finish_deletion,
    job_of,
    pods_of,
    start_job,
)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, JOBS, EVENTS):
            plane.client.informer(resource)
        yield plane


def pod_of_index(plane: Plane, index: int, *, phase: str = "Pending") -> Object:
    return next(pod for pod in pods_of(plane, phase) if meta.annotations(pod)[INDEX] == str(index))


async def start_indexed(plane: Plane, completions: int, **spec: Any) -> Object:
    spec = {"parallelism": completions, **spec}
    return await start_job(plane, completionMode="Indexed", completions=completions, **spec)


@pytest.mark.parametrize(
    ("text", "intervals"),
    [
        ("", []),
        ("0", [(0, 0)]),
        ("1,3-5,7", [(1, 1), (3, 5), (7, 7)]),
        ("1,2", [(1, 2)]),
        ("1-20", [(1, 9)]),
        ("x,4,10-12", [(4, 4)]),
    ],
)
def test_indexes_are_read_as_intervals(text: str, intervals: list[tuple[int, int]]) -> None:
    assert list(Indexes.parse(text, 10)) == intervals


@pytest.mark.parametrize(
    ("indexes", "text"),
    [([], ""), ([3], "3"), ([3, 4], "3,4"), ([3, 4, 5], "3-5"), ([0, 2, 3, 4, 9, 8], "0,2-4,8,9")],
)
def test_indexes_are_written_as_intervals(indexes: list[int], text: str) -> None:
    assert str(Indexes().with_indexes(indexes)) == text


def test_the_lowest_missing_indexes_come_first() -> None:
    taken = Indexes.parse("0,2,5-6", 9)
    assert taken.first_missing(3, 9) == [1, 3, 4]
    assert taken.first_missing(9, 9) == [1, 3, 4, 7, 8]
    assert taken.first_missing(9, 3) == [1]
    assert [index for index in range(9) if index in taken] == [0, 2, 5, 6]


@pytest.mark.parametrize(
    ("rules", "succeeded", "rule"),
    [
        ([{"succeededIndexes": "0-2"}], "0-3", 0),
        ([{"succeededIndexes": "0-2"}], "0,2", None),
        ([{"succeededIndexes": "0-2", "succeededCount": 2}], "0,2", 0),
        ([{"succeededCount": 3}], "1,5", None),
        ([{"succeededIndexes": "9"}, {"succeededCount": 2}], "1,5", 1),
        ([{"succeededIndexes": "1,3-5,7"}], "3-7", None),
        ([{"succeededIndexes": "1,3-5,7", "succeededCount": 4}], "3-7", 0),
    ],
)
def test_the_success_policy_counts_the_indexes_of_its_rules(
    rules: list[Object], succeeded: str, rule: int | None
) -> None:
    job = {"spec": {"completions": 10, "successPolicy": {"rules": rules}}}
    assert matched_rule(job, Indexes.parse(succeeded, 10)) == rule


def _failed(code: int = 0, *, name: str = "c", init: bool = False, **condition: str) -> Object:
    container = {"name": name, "state": {"terminated": {"exitCode": code}}}
    kind = "initContainerStatuses" if init else "containerStatuses"
    status = {kind: [container], "conditions": [{"type": k, "status": v} for k, v in condition.items()]}
    return {"metadata": {"namespace": "ns", "name": "p"}, "status": {"phase": "Failed", **status}}


def _codes(action: str, operator: str, *values: int, **more: str) -> Object:
    return {"action": action, "onExitCodes": {"operator": operator, "values": list(values), **more}}


@pytest.mark.parametrize(
    ("rule", "pod", "judgement"),
    [
        (_codes("Ignore", "In", 1, 2), _failed(2), Judgement("Ignore")),
        (_codes("Ignore", "In", 1, 2), _failed(3), Judgement()),
        (_codes("Count", "NotIn", 1, 2), _failed(3), Judgement("Count")),
        (_codes("Count", "NotIn", 1, 2), _failed(0), Judgement()),
        (_codes("Count", "In", 5, containerName="d"), _failed(5), Judgement()),
        (
            _codes("FailIndex", "In", 5, containerName="i"),
            _failed(5, name="i", init=True),
            Judgement("FailIndex"),
        ),
        (
            _codes("FailJob", "In", 42),
            _failed(42),
            Judgement(
                "FailJob",
                "Container c for pod ns/p failed with exit code 42 matching FailJob rule at index 0",
            ),
        ),
        (
            {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            _failed(DisruptionTarget="True"),
            Judgement("FailJob", "Pod ns/p has condition DisruptionTarget matching FailJob rule at index 0"),
        ),
        (
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            _failed(DisruptionTarget="False"),
            Judgement(),
        ),
    ],
)
def test_the_failure_policy_judges_pods(rule: Object, pod: Object, judgement: Judgement) -> None:
    assert judge({"spec": {"podFailurePolicy": {"rules": [rule]}}}, pod) == judgement


def test_the_first_rule_that_matches_decides() -> None:
    rules = [_codes("Ignore", "In", 2), _codes("FailJob", "In", 1), _codes("Count", "NotIn", 7)]
    job = {"spec": {"podFailurePolicy": {"rules": rules}}}
    assert [judge(job, _failed(code)).action for code in (1, 2, 3, 7)] == ["FailJob", "Ignore", "Count", ""]


async def test_pods_of_an_indexed_job_know_their_index(plane: Plane) -> None:
    await start_indexed(plane, 2)
    pod = pod_of_index(plane, 1)
    assert meta.name(pod).startswith("j-1-")
    assert meta.labels(pod)[INDEX] == "1"
    assert pod["spec"]["hostname"] == "j-1"
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    assert pod["spec"]["containers"][0]["env"] == [{"name": "JOB_COMPLETION_INDEX", "valueFrom": source}]


async def test_an_indexed_job_is_complete_when_each_index_has_succeeded(plane: Plane) -> None:
    await start_indexed(plane, 4, parallelism=3)
    await end_pod(plane, pod_of_index(plane, 2))
    await end_pod(plane, pod_of_index(plane, 0))
    assert job_of(plane)["status"]["completedIndexes"] == "0,2"
    await end_pod(plane, pod_of_index(plane, 3))
    await end_pod(plane, pod_of_index(plane, 1))
    job = job_of(plane)
    assert (job["status"]["completedIndexes"], job["status"]["succeeded"]) == ("0-3", 4)
    assert conditions.is_true(job, "Complete")


async def test_a_failed_index_is_tried_again(plane: Plane) -> None:
    await start_indexed(plane, 2)
    await end_pod(plane, pod_of_index(plane, 1), code=1)
    await plane.advance(10)
    again = pod_of_index(plane, 1)
    assert "batch.kubernetes.io/job-index-failure-count" not in meta.annotations(again)
    assert job_of(plane)["status"]["failed"] == 1


async def test_an_indexed_job_shrinks_and_grows_with_its_parallelism(plane: Plane) -> None:
    await start_indexed(plane, 3)
    await end_pod(plane, pod_of_index(plane, 2))
    await plane.patch(JOBS, "j", {"spec": {"completions": 2, "parallelism": 2}})
    assert [meta.annotations(pod)[INDEX] for pod in pods_of(plane, "Pending")] == ["0", "1"]
    assert "completedIndexes" not in job_of(plane)["status"]
    await plane.patch(JOBS, "j", {"spec": {"completions": 4, "parallelism": 4}})
    assert [meta.annotations(pod)[INDEX] for pod in pods_of(plane, "Pending")] == ["0", "1", "2", "3"]


async def test_each_index_has_its_own_backoff_limit(plane: Plane) -> None:
    await start_indexed(plane, 2, backoffLimitPerIndex=1)
    first = pod_of_index(plane, 0)
    assert meta.annotations(first)["batch.kubernetes.io/job-index-failure-count"] == "0"
    await end_pod(plane, first, code=1)
    kept = plane.get(PODS, meta.name(first))
    assert kept is not None
    assert "finalizers" in kept["metadata"]  # its replacement has to know of it
    await plane.advance(10)
    second = pod_of_index(plane, 0)
    assert meta.annotations(second)["batch.kubernetes.io/job-index-failure-count"] == "1"
    kept = plane.get(PODS, meta.name(first))
    assert kept is not None
    assert "finalizers" not in kept["metadata"]
    await end_pod(plane, second, code=1)
    assert job_of(plane)["status"]["failedIndexes"] == "0"
    await plane.advance(60)
    assert [meta.annotations(pod)[INDEX] for pod in pods_of(plane, "Pending")] == ["1"]
    await end_pod(plane, pod_of_index(plane, 1))
    job = job_of(plane)
    assert condition(job, "Failed") == ("True", "FailedIndexes", "Job has failed indexes")
    assert (job["status"]["completedIndexes"], job["status"]["failedIndexes"]) == ("1", "0")
    assert (job["status"]["failed"], job["status"]["succeeded"]) == (2, 1)


async def test_indexes_back_off_by_themselves(plane: Plane) -> None:
    await start_indexed(plane, 2, backoffLimitPerIndex=5)
    await end_pod(plane, pod_of_index(plane, 0), code=1)
    await plane.advance(5)
    await end_pod(plane, pod_of_index(plane, 1), code=1)
    await plane.advance(5)
    assert [meta.annotations(pod)[INDEX] for pod in pods_of(plane, "Pending")] == ["0"]
    await plane.advance(5)
    assert len(pods_of(plane, "Pending")) == 2


async def test_too_many_failed_indexes_fail_the_job(plane: Plane) -> None:
    await start_indexed(plane, 4, backoffLimitPerIndex=0, maxFailedIndexes=1)
    await end_pod(plane, pod_of_index(plane, 0), code=1)
    assert not conditions.is_true(job_of(plane), "FailureTarget")
    await end_pod(plane, pod_of_index(plane, 2), code=1)
    job = job_of(plane)
    assert condition(job, "Failed") == (
        "True",
        "MaxFailedIndexesExceeded",
        "Job has exceeded the specified maximal number of failed indexes",
    )
    assert job["status"]["failedIndexes"] == "0,2"


async def test_a_rule_fails_an_index_at_once(plane: Plane) -> None:
    rules = [_codes("FailIndex", "In", 42)]
    await start_indexed(plane, 2, backoffLimitPerIndex=5, podFailurePolicy={"rules": rules})
    await end_pod(plane, pod_of_index(plane, 1), code=42)
    assert job_of(plane)["status"]["failedIndexes"] == "1"


async def test_ignored_failures_of_an_index_are_counted_apart(plane: Plane) -> None:
    rules = [_codes("Ignore", "In", 42)]
    await start_indexed(plane, 2, backoffLimitPerIndex=0, podFailurePolicy={"rules": rules})
    await end_pod(plane, pod_of_index(plane, 1), code=42)
    await plane.advance(10)
    annotations = meta.annotations(pod_of_index(plane, 1))
    assert annotations["batch.kubernetes.io/job-index-failure-count"] == "0"
    assert annotations["batch.kubernetes.io/job-index-ignored-failure-count"] == "1"
    assert job_of(plane)["status"].get("failed", 0) == 0


async def test_a_rule_fails_the_job_at_once(plane: Plane) -> None:
    rules = [_codes("FailJob", "In", 42)]
    await start_job(plane, podFailurePolicy={"rules": rules})
    (pod,) = pods_of(plane)
    await end_pod(plane, pod, code=42)
    message = (
        f"Container c for pod ns/{meta.name(pod)} failed with exit code 42 matching FailJob rule at index 0"
    )
    job = job_of(plane)
    assert (
        condition(job, "FailureTarget") == condition(job, "Failed") == ("True", "PodFailurePolicy", message)
    )
    assert events_of(plane)[-1] == ("PodFailurePolicy", message)


async def test_ignored_failures_do_not_count_towards_the_limit(plane: Plane) -> None:
    ignored = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    await start_job(plane, backoffLimit=0, podFailurePolicy={"rules": [ignored]})
    (pod,) = pods_of(plane)
    await end_pod(plane, pod, code=137, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    await plane.advance(10)
    assert len(pods_of(plane, "Pending")) == 1
    assert job_of(plane)["status"].get("failed", 0) == 0


async def test_the_success_policy_ends_a_job_early(plane: Plane) -> None:
    await plane.add_node()
    await start_indexed(plane, 3, successPolicy={"rules": [{"succeededIndexes": "0"}]})
    running = pod_of_index(plane, 1)
    await bind(plane, running)
    await end_pod(plane, pod_of_index(plane, 0))
    reason = ("True", "SuccessPolicy", "Matched rules at index 0")
    assert condition(job_of(plane), "SuccessCriteriaMet") == reason
    assert not conditions.is_true(job_of(plane), "Complete")
    await finish_deletion(plane, running)
    job = job_of(plane)
    assert condition(job, "Complete") == reason
    assert (job["status"]["succeeded"], job["status"].get("failed", 0)) == (1, 0)
    assert events_of(plane)[-1] == ("Completed", "Job completed")


async def test_a_terminating_pod_is_replaced_at_once(plane: Plane) -> None:
    await plane.add_node()
    await start_job(plane)
    (pod,) = pods_of(plane)
    await bind(plane, pod)
    await plane.client.delete(PODS, meta.name(pod), namespace="ns")
    await plane.advance(10)
    assert len(pods_of(plane)) == 2
    assert (job_of(plane)["status"]["terminating"], job_of(plane)["status"]["failed"]) == (1, 1)


async def test_with_the_replacement_policy_failed_a_pod_is_replaced_when_it_has_ended(plane: Plane) -> None:
    await plane.add_node()
    await start_job(plane, podReplacementPolicy="Failed")
    (pod,) = pods_of(plane)
    await bind(plane, pod)
    await plane.client.delete(PODS, meta.name(pod), namespace="ns")
    await plane.advance(10)
    assert len(pods_of(plane)) == 1
    assert (job_of(plane)["status"]["terminating"], job_of(plane)["status"].get("active", 0)) == (1, 0)
    await end_pod(plane, pod, code=137)
    await plane.advance(10)
    assert len(pods_of(plane, "Pending")) == 1
    assert job_of(plane)["status"]["failed"] == 1
