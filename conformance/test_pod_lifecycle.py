"""Pods from creation to their end, as their status tells it: generations, conditions, gates, classes."""

from functools import partial

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

KINDS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
KILL_SANDBOX = """
for process in /proc/[0-9]*; do
  grep -q UID $process/cgroup || continue
  if grep -q pause $process/comm || grep -qa 2147483647 $process/cmdline; then kill -9 ${process##*/}; fi
done; true
"""


def observed(pod: Object) -> bool:
    """Whether status and conditions speak of the newest generation."""
    generation, status = pod["metadata"]["generation"], pod["status"]
    return status.get("observedGeneration") == generation and all(
        pods.condition(pod, kind).get("observedGeneration") == generation for kind in KINDS
    )


def test_generations_are_observed_in_status_and_conditions(space: Space) -> None:
    space.run("counted", activeDeadlineSeconds=600)
    pod = space.ready("counted")
    assert pod["metadata"]["generation"] == 1
    space.until("counted", observed, what="observes generation 1")
    path = space.path("pods", "counted")
    space.rest.patch(path, {"metadata": {"labels": {"a": "b"}}})
    assert space.pod("counted")["metadata"]["generation"] == 1
    space.rest.patch(path, {"spec": {"activeDeadlineSeconds": 500}})
    pod = space.until("counted", observed, what="observes generation 2")
    assert pod["metadata"]["generation"] == 2


def test_deletion_is_a_generation_of_its_own(space: Space) -> None:
    grace = {"terminationGracePeriodSeconds": 20}
    space.run_ready("leaving", "trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done", **grace)
    answer = space.rest.delete(space.path("pods", "leaving"))
    assert answer["metadata"]["generation"] == 2
    space.until("leaving", observed, what="observes its deletion")


def test_many_updates_are_all_observed_in_the_end(space: Space) -> None:
    space.run_ready("busy", activeDeadlineSeconds=1000)
    path = space.path("pods", "busy")
    for seconds in range(999, 949, -1):
        space.rest.patch(path, {"spec": {"activeDeadlineSeconds": seconds}})
    pod = space.until("busy", observed, what="observes the last generation")
    assert pod["metadata"]["generation"] == 51


def test_readiness_gates_decide_with_the_containers(space: Space) -> None:
    gates = [{"conditionType": "example.test/one"}, {"conditionType": "example.test/two"}]
    space.run("gated", readinessGates=gates)
    running = lambda pod: pods.condition(pod, "ContainersReady").get("status") == "True"  # noqa: E731
    ready = pods.condition(space.until("gated", running, what="has ready containers"), "Ready")
    missing = 'corresponding condition of pod readiness gate "example.test/{}" does not exist.'
    assert (ready["status"], ready["reason"]) == ("False", "ReadinessGatesNotReady")
    assert ready["message"] == ", ".join(missing.format(each) for each in ("one", "two"))

    status = space.path("pods", "gated") + "/status"
    kind = "application/strategic-merge-patch+json"
    for states, held in ((("True", "False"), False), (("True", "True"), True), (("False", "True"), False)):
        told = [
            {"type": f"example.test/{name}", "status": state}
            for name, state in zip(("one", "two"), states, strict=True)
        ]
        space.rest.patch(status, {"status": {"conditions": told}}, content_type=kind)
        wanted = "True" if held else "False"
        eventually(partial(is_ready, space, wanted), what=f"it is ready: {held}")
    message = pods.condition(space.pod("gated"), "Ready")["message"]
    assert message == 'the status of pod readiness gate "example.test/one" is not "True", but False'


def is_ready(space: Space, status: str) -> bool:
    return bool(pods.condition(space.pod("gated"), "Ready")["status"] == status)


def test_a_sandbox_that_dies_is_made_again_and_init_containers_run_again(space: Space) -> None:
    init = pods.container(space.image, "echo x >> /data/inits", name="init", **_data())
    main = pods.container(space.image, "echo up; exec sleep 3600", **_data())
    volumes = [{"name": "data", "emptyDir": {}}]
    spec = {"initContainers": [init], "volumes": volumes, "restartPolicy": "Always"}
    space.create(pods.pod("reborn", main, **spec))
    uid = space.ready("reborn")["metadata"]["uid"]
    privileged = {"securityContext": {"privileged": True}}
    space.run_through("killer", KILL_SANDBOX.replace("UID", uid), container=privileged, hostPID=True)
    again = lambda pod: pods.status_of(pod).get("restartCount") == 1 and pods.ready(pod)  # noqa: E731
    pod = space.until("reborn", again, what="runs in a new sandbox", timeout=40)
    assert pods.status_of(pod, "init", init=True)["restartCount"] == 1
    expected = "Pod sandbox changed, it will be killed and re-created."
    assert space.event("reborn", "SandboxChanged")["message"] == expected


def _data() -> Object:
    return {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


def test_the_class_of_service_follows_from_the_resources(space: Space) -> None:
    full = {"cpu": "100m", "memory": "32Mi"}
    for name, resources, expected in (
        ("guaranteed", {"requests": full, "limits": full}, "Guaranteed"),
        ("burstable", {"requests": full}, "Burstable"),
        ("best-effort", {}, "BestEffort"),
    ):
        created = space.run(name, container={"resources": resources})
        assert created["status"]["qosClass"] == expected
    assert space.ready("guaranteed")["status"]["qosClass"] == "Guaranteed"


def test_a_pod_that_is_deleted_before_it_runs_reports_no_success(space: Space) -> None:
    names = [f"hasty-{number}" for number in range(4)]
    with space.rest.watch(space.path("pods"), timeout=30) as events:
        for name in names:
            space.run(name, "exit 0", container={"image": "kubeling.test/absent:1"})
        for name in names:
            space.rest.delete(space.path("pods", name))
        left = set(names)
        for event in events:
            pod = event["object"]
            assert pods.exit_code(pod) != 0, pod["status"]
            assert pod["status"].get("phase") != "Succeeded"
            if event["type"] == "DELETED":
                left.discard(pod["metadata"]["name"])
            if not left:
                break


def test_collections_of_pods_are_deleted(space: Space) -> None:
    for number in range(3):
        pod = pods.pod(f"member-{number}", pods.container(space.image))
        pod["metadata"]["labels"] = {"type": "Testing"}
        space.create(pod)
    space.rest.delete(space.path("pods"), labelSelector="type=Testing", gracePeriodSeconds=1)
    for number in range(3):
        space.rest.gone(space.path("pods", f"member-{number}"))


def test_a_deadline_that_passes_fails_the_pod_when_its_containers_have_ended(space: Space) -> None:
    script = "trap '' TERM; while :; do sleep 0.1; done"
    with space.rest.watch(space.path("pods"), timeout=30) as events:
        space.run("late", script, activeDeadlineSeconds=1, terminationGracePeriodSeconds=2)
        for event in events:
            status = event["object"]["status"]
            if status["phase"] == "Failed":
                break
            assert "reason" not in status
    assert status["reason"] == "DeadlineExceeded"
    assert status["message"] == "Pod was active on the node longer than the specified deadline"
    assert pods.exit_code(event["object"]) == 137
    assert space.event("late", "DeadlineExceeded")["type"] == "Normal"


def test_a_pod_may_be_replaced_under_its_name_while_the_old_one_ends(space: Space) -> None:
    script = "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done"
    first = space.run_ready("phoenix", script, terminationGracePeriodSeconds=10)
    space.rest.delete(space.path("pods", "phoenix"))
    space.rest.gone(space.path("pods", "phoenix"))
    second = space.run_ready("phoenix")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
