"""Jobs: completions, indexes, back-off, policies of failure and success, suspension, adoption, deletion."""

from typing import Any

from conformance.jobs import GROUP, INDEX, NEVER_ENDS, Job, condition, index_of, is_true, reason
from conformance.kubectl import Kubectl
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")


def _succeed_below(index: int) -> str:
    """Pods of lower indexes succeed, the others run on."""
    return f"[ $JOB_COMPLETION_INDEX -lt {index} ] && exit 0; {NEVER_ENDS}"


def _fail_at(*indexes: int, code: int = 1) -> str:
    checks = "".join(f"[ $JOB_COMPLETION_INDEX -eq {index} ] && exit {code}; " for index in indexes)
    return f"{checks}exit 0"


def _exit_rule(action: str, code: int = 42) -> Object:
    rule = {"action": action, "onExitCodes": {"containerName": "c", "operator": "In", "values": [code]}}
    return {"rules": [rule]}


def test_a_job_runs_to_completion_when_its_tasks_succeed(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(completions=4, parallelism=2)
    done = job.complete()
    assert (done["status"]["succeeded"], done["status"].get("failed", 0)) == (4, 0)
    assert done["status"]["startTime"] <= done["status"]["completionTime"]
    assert len(job.pods("Succeeded")) == 4
    virtual_space.event("job", "Completed")
    assert job.events().count("SuccessfulCreate") == 4


def test_a_job_runs_to_completion_when_tasks_are_restarted_in_their_pods(virtual_space: Space) -> None:
    job = Job(virtual_space)
    wishes = {"virtual.kubeling.dev/crash-times": "1", "virtual.kubeling.dev/exit-code": "1"}
    job.start(completions=2, parallelism=2, restartPolicy="OnFailure", annotations=wishes)
    done = job.complete()
    assert (done["status"]["succeeded"], done["status"].get("failed", 0)) == (2, 0)
    restarts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in job.pods()]
    assert restarts == [1, 1]


def test_pods_that_fail_are_replaced_after_a_back_off(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start("exit 1", completions=1, backoffLimit=3)
    eventually(lambda: job.pods("Failed"), what="a pod has failed")
    second = job.until(lambda found: found["status"].get("failed", 0) == 1, what="counts its failure")
    assert not is_true(second, "Failed")
    eventually(lambda: len(job.pods("Failed")) == 2, what="it is tried again after ten seconds")


def test_a_job_fails_at_its_backoff_limit(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start("exit 1", backoffLimit=0)
    failed = job.failed()
    assert reason(failed, "FailureTarget") == reason(failed, "Failed") == LIMIT
    assert failed["status"]["failed"] == len(job.pods()) == 1
    assert virtual_space.event("job", "BackoffLimitExceeded")["message"] == LIMIT[1]


def test_a_job_fails_at_its_deadline(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(NEVER_ENDS, activeDeadlineSeconds=1)
    failed = job.failed()
    assert reason(failed, "Failed")[0] == "DeadlineExceeded"
    assert failed["status"].get("active", 0) == failed["status"]["terminating"] == 0


def test_pods_of_an_indexed_job_have_indexes_and_host_names(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(completions=4, parallelism=2, completionMode="Indexed")
    done = job.complete()
    assert done["status"]["completedIndexes"] == "0-3"
    found = sorted(job.pods("Succeeded"), key=index_of)
    assert [index_of(pod) for pod in found] == [0, 1, 2, 3]
    assert [pod["spec"]["hostname"] for pod in found] == [f"job-{index}" for index in range(4)]
    assert [pod["metadata"]["labels"][INDEX] for pod in found] == ["0", "1", "2", "3"]
    assert all(pod["metadata"]["name"].startswith(f"job-{index_of(pod)}-") for pod in found)


def test_all_indexes_are_executed_though_some_fail(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(_fail_at(1), completions=4, parallelism=4, completionMode="Indexed", backoffLimitPerIndex=0)
    failed = job.failed()
    assert reason(failed, "Failed") == ("FailedIndexes", "Job has failed indexes")
    status = failed["status"]
    assert (status["completedIndexes"], status["failedIndexes"]) == ("0,2,3", "1")
    assert (status["succeeded"], status["failed"]) == (3, 1)


def test_a_failed_index_is_tried_again_up_to_its_limit(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(_fail_at(0), completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=1)
    failed = job.failed()
    assert (failed["status"]["failedIndexes"], failed["status"]["failed"]) == ("0", 2)
    counts = [
        pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"]
        for pod in job.pods("Failed")
    ]
    assert sorted(counts) == ["0", "1"]


def test_a_job_ends_when_too_many_indexes_have_failed(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(
        "exit 1",
        completions=10,
        parallelism=2,
        completionMode="Indexed",
        backoffLimitPerIndex=0,
        maxFailedIndexes=4,
    )
    failed = job.failed()
    assert reason(failed, "Failed")[0] == "MaxFailedIndexesExceeded"
    assert len(job.pods()) < 10


def test_a_rule_marks_an_index_as_failed(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(
        _fail_at(0, code=42),
        completions=2,
        parallelism=2,
        completionMode="Indexed",
        backoffLimitPerIndex=1,
        podFailurePolicy=_exit_rule("FailIndex"),
    )
    failed = job.failed()
    assert (failed["status"]["failedIndexes"], failed["status"]["completedIndexes"]) == ("0", "1")
    assert failed["status"]["failed"] == 1


def test_a_rule_fails_the_job_early(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start("exit 42", backoffLimit=6, podFailurePolicy=_exit_rule("FailJob"))
    failed = job.failed()
    (pod,) = job.pods()
    where = f"{virtual_space.name}/{pod['metadata']['name']}"
    text = f"Container c for pod {where} failed with exit code 42 matching FailJob rule at index 0"
    assert reason(failed, "Failed") == ("PodFailurePolicy", text)


def test_a_rule_ignores_pods_that_are_evicted(virtual_space: Space) -> None:
    job = Job(virtual_space)
    disruption = {"type": "DisruptionTarget", "status": "True"}
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [disruption]}]}
    job.start(NEVER_ENDS, backoffLimit=0, podFailurePolicy=policy)
    job.active(1)
    (pod,) = job.pods()
    name = pod["metadata"]["name"]
    virtual_space.phase(name, "Running")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    virtual_space.rest.post(virtual_space.path("pods", name) + "/eviction", eviction)

    def replaced() -> bool:
        return [each["metadata"]["name"] for each in job.pods("Pending", "Running")] not in ([], [name])

    eventually(replaced, what="another pod takes its place", timeout=40)
    assert not is_true(job.get(), "FailureTarget")
    assert job.get()["status"].get("failed", 0) == 0


def test_a_job_succeeds_when_all_indexes_of_a_rule_have(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(
        _succeed_below(1),
        completions=3,
        parallelism=3,
        completionMode="Indexed",
        successPolicy={"rules": [{"succeededIndexes": "0"}]},
    )
    done = job.complete()
    assert reason(done, "SuccessCriteriaMet") == ("SuccessPolicy", "Matched rules at index 0")
    assert reason(done, "Complete")[0] == "SuccessPolicy"
    assert (done["status"]["completedIndexes"], done["status"]["succeeded"]) == ("0", 1)
    assert done["status"].get("active", 0) == done["status"]["terminating"] == 0


def test_a_job_succeeds_when_as_many_indexes_have_as_a_rule_wants(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(
        _succeed_below(2),
        completions=5,
        parallelism=5,
        completionMode="Indexed",
        successPolicy={"rules": [{"succeededIndexes": "3", "succeededCount": 1}, {"succeededCount": 2}]},
    )
    done = job.complete()
    assert reason(done, "SuccessCriteriaMet") == ("SuccessPolicy", "Matched rules at index 1")
    assert done["status"]["completedIndexes"] == "0,1"


def test_a_job_with_a_success_policy_succeeds_when_all_have(virtual_space: Space) -> None:
    job = Job(virtual_space)
    rules = {"rules": [{"succeededIndexes": "0-2"}]}
    job.start(completions=3, parallelism=3, completionMode="Indexed", successPolicy=rules)
    done = job.complete()
    assert (done["status"]["completedIndexes"], done["status"]["succeeded"]) == ("0-2", 3)


def test_a_suspended_job_has_no_pods_until_it_is_resumed(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(NEVER_ENDS, suspend=True, parallelism=2, completions=2)
    suspended = job.until(lambda found: is_true(found, "Suspended"), what="is suspended")
    assert reason(suspended, "Suspended") == ("JobSuspended", "Job suspended")
    assert job.pods() == []
    job.patch(suspend=False)
    resumed = job.active(2)
    assert condition(resumed, "Suspended")["reason"] == "JobResumed"
    assert "startTime" in resumed["status"]
    eventually(lambda: {"Suspended", "Resumed"} <= set(job.events()), what="both are told")


def test_suspending_a_job_deletes_its_pods(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(NEVER_ENDS, parallelism=2, completions=2)
    job.active(2)
    job.patch(suspend=True)
    job.until(lambda found: is_true(found, "Suspended") and not job.pods(), what="has no pods")
    assert job.get()["status"].get("failed", 0) == 0


def test_an_indexed_job_grows_and_shrinks(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(NEVER_ENDS, completions=2, parallelism=2, completionMode="Indexed")
    job.active(2)
    job.patch(completions=4, parallelism=4)
    job.active(4)
    job.patch(completions=1, parallelism=1)
    job.active(1)
    assert [index_of(pod) for pod in job.pods("Pending", "Running")] == [0]


def test_a_job_adopts_matching_orphans_and_releases_what_matches_no_more(virtual_space: Space) -> None:
    job = Job(virtual_space)
    made = job.start(NEVER_ENDS, parallelism=2, completions=2)
    job.active(2)
    first, second = (virtual_space.path("pods", pod["metadata"]["name"]) for pod in job.pods())
    rest = virtual_space.rest
    rest.patch(first, {"metadata": {"ownerReferences": None}})

    def adopted() -> bool:
        owners = rest.get(first)["metadata"].get("ownerReferences") or []
        return [owner["uid"] for owner in owners] == [made["metadata"]["uid"]]

    eventually(adopted, what="the orphan is adopted")
    rest.patch(second, {"metadata": {"labels": None}})

    def released() -> bool:
        metadata = rest.get(second)["metadata"]
        return not metadata.get("ownerReferences") and not metadata.get("finalizers")

    eventually(released, what="the other is released, without its finalizer")
    job.active(2)


def test_deleting_a_job_deletes_its_pods(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(NEVER_ENDS, parallelism=2, completions=2)
    job.active(2)
    virtual_space.rest.delete(job.path, propagationPolicy="Foreground")
    virtual_space.rest.gone(job.path)
    assert job.pods() == []


def test_pods_go_after_a_job_that_is_deleted_in_the_background(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(completions=2, parallelism=2)
    job.complete()
    virtual_space.rest.delete(job.path, propagationPolicy="Background")
    eventually(lambda: not job.pods(), what="its pods are gone")


def test_a_finished_job_goes_after_its_time_to_live(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(ttlSecondsAfterFinished=0)
    virtual_space.rest.gone(job.path)
    eventually(lambda: not job.pods(), what="its pods are gone")


def test_a_jobs_status_is_changed_through_its_subresource(virtual_space: Space) -> None:
    job = Job(virtual_space)
    job.start(NEVER_ENDS, parallelism=1)
    job.active(1)
    rest, status = virtual_space.rest, job.path + "/status"
    mark = {"type": "StatusPatched", "status": "True", "reason": "Test", "message": "by the test"}
    rest.patch(status, {"status": {"conditions": [mark]}})
    assert condition(rest.get(status), "StatusPatched")["reason"] == "Test"

    def put() -> bool:
        found = rest.get(job.path)
        found["status"]["conditions"].append({**mark, "type": "StatusUpdated"})
        return rest.request("PUT", status, found).code == 200

    eventually(put, what="the status is replaced")
    assert is_true(job.get(), "StatusUpdated")
    assert is_true(job.get(), "StatusPatched")


def test_the_life_of_a_job(virtual_space: Space) -> None:
    job, rest = Job(virtual_space), virtual_space.rest
    collection = virtual_space.path("jobs", group=GROUP)
    job.start(NEVER_ENDS, parallelism=1, suspend=True)
    rest.patch(job.path, {"metadata": {"labels": {"test": "life"}}, "spec": {"suspend": False}})
    job.active(1)
    found = job.get()
    found["metadata"].setdefault("annotations", {})["updated"] = "true"
    eventually(lambda: _replaced(job, found), what="the job is replaced")
    listed = rest.get("/apis/batch/v1/jobs", labelSelector="test=life")["items"]
    assert [each["metadata"]["namespace"] for each in listed] == [virtual_space.name]
    rest.delete(collection, labelSelector="test=life", propagationPolicy="Background")
    rest.gone(job.path)


def _replaced(job: Job, found: Object) -> bool:
    found["metadata"]["resourceVersion"] = job.get()["metadata"]["resourceVersion"]
    return job.space.rest.request("PUT", job.path, found).code == 200


def test_a_job_that_is_managed_by_others_is_left_alone(virtual_space: Space) -> None:
    other, job = Job(virtual_space, "other"), Job(virtual_space)
    other.start(managedBy="example.com/other")
    job.start()
    job.complete()
    assert other.pods() == []
    assert other.get()["status"] == {}


def test_kubectl_waits_for_a_job_and_describes_it(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    virtual_kubectl("create", "job", "one", f"--image={virtual_space.image}", "--", "sh", "-c", "exit 0")
    virtual_kubectl("wait", "--for=condition=Complete", "job/one", "--timeout=30s")
    text = virtual_kubectl("describe", "job", "one").text
    assert "Pods Statuses:    0 Active (0 Ready) / 1 Succeeded / 0 Failed" in text
    assert "Job completed" in text
    line = virtual_kubectl("get", "job", "one", "--no-headers").text.split()
    assert line[:3] == ["one", "Complete", "1/1"]


def test_an_indexed_job_on_real_containers(space: Space, containers: None) -> None:
    job = Job(space)
    job.start('echo "I am $JOB_COMPLETION_INDEX on $(hostname)"', completions=2, completionMode="Indexed")
    assert job.complete()["status"]["completedIndexes"] == "0,1"
    logs = [space.log(pod["metadata"]["name"]).strip() for pod in sorted(job.pods(), key=index_of)]
    assert logs == ["I am 0 on job-0", "I am 1 on job-1"]


def test_a_failing_job_on_real_containers(space: Space, containers: None) -> None:
    job = Job(space)
    job.start("exit 3", backoffLimit=0, podFailurePolicy=_exit_rule("FailJob", 3))
    assert reason(job.failed(), "Failed")[0] == "PodFailurePolicy"
