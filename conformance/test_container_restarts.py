"""How pods start and end: restart policies, exit codes, back-off, init containers, phases."""

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_never_and_success(space: Space) -> None:
    space.run("job", "exit 0")
    pod = space.phase("job", "Succeeded")
    ended = pods.status_of(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert ended["startedAt"] <= ended["finishedAt"]
    assert ended["containerID"].startswith("containerd://")
    assert pods.condition(pod, "Ready")["reason"] == "PodCompleted"
    assert pods.status_of(pod)["restartCount"] == 0


def test_never_and_failure(space: Space) -> None:
    space.run("job", "exit 7")
    pod = space.phase("job", "Failed")
    ended = pods.status_of(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (7, "Error")
    assert pods.condition(pod, "Ready")["reason"] == "PodFailed"


def test_on_failure_until_it_succeeds(space: Space) -> None:
    script = "echo x >> /data/tries; [ $(wc -l < /data/tries) = 2 ]"
    space.run("job", script, restartPolicy="OnFailure", **_data())
    pod = space.phase("job", "Succeeded", timeout=40)
    status = pods.status_of(pod)
    assert status["restartCount"] == 1
    assert status["state"]["terminated"]["exitCode"] == 0


def test_always_falls_into_crash_loop_back_off(space: Space) -> None:
    space.run("crasher", "exit 3", restartPolicy="Always")
    backing_off = lambda pod: pods.waiting_reason(pod) == "CrashLoopBackOff"  # noqa: E731
    pod = space.until("crasher", backing_off, what="backs off", timeout=40)
    status = pods.status_of(pod)
    assert status["state"]["waiting"]["message"].startswith("back-off ")
    assert (
        f"restarting failed container=main pod=crasher_{space.name}(" in status["state"]["waiting"]["message"]
    )
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert pod["status"]["phase"] == "Running"
    assert pods.condition(pod, "Ready")["reason"] == "ContainersNotReady"
    event = space.event("crasher", "BackOff")
    assert event["message"].startswith("Back-off restarting failed container main in pod crasher_")


def test_always_counts_restarts(space: Space) -> None:
    space.run("again", "exit 0", restartPolicy="Always")
    restarted = lambda pod: pods.status_of(pod).get("restartCount", 0) >= 1  # noqa: E731
    pod = space.until("again", restarted, what="was restarted")
    assert pods.status_of(pod)["lastState"]["terminated"]["reason"] == "Completed"


def test_a_command_that_does_not_exist(space: Space) -> None:
    space.run("typo", container={"command": ["no-such-command"]})
    pod = space.phase("typo", "Failed")
    ended = pods.status_of(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "no-such-command" in ended["message"]
    assert "no-such-command" in space.event("typo", "Failed")["message"]


def test_the_pod_fails_when_one_of_two_containers_does(space: Space) -> None:
    containers = [
        pods.container(space.image, "exit 0", name="good"),
        pods.container(space.image, "exit 1", name="bad"),
    ]
    space.create(pods.pod("two", *containers))
    pod = space.phase("two", "Failed")
    assert (pods.exit_code(pod, "good"), pods.exit_code(pod, "bad")) == (0, 1)


def test_a_pod_with_one_ended_container_is_not_ready(space: Space) -> None:
    containers = [
        pods.container(space.image, "exit 0", name="short"),
        pods.container(space.image, name="long"),
    ]
    space.create(pods.pod("two", *containers))
    half = lambda pod: pods.exit_code(pod, "short") == 0 and pods.status_of(pod, "long").get("ready")  # noqa: E731
    pod = space.until("two", half, what="has one container left")
    assert pod["status"]["phase"] == "Running"
    assert pods.condition(pod, "Ready")["status"] == "False"
    assert pods.condition(pod, "Ready")["message"] == "containers with unready status: [short]"


def test_init_containers_run_in_order_before_the_others(space: Space) -> None:
    inits = [
        pods.container(space.image, f"echo {name} >> /data/order", name=name, **_mounts())
        for name in ("first", "second")
    ]
    main = pods.container(space.image, "cat /data/order", **_mounts())
    space.create(pods.pod("ordered", main, initContainers=inits, volumes=_volumes()))
    pod = space.phase("ordered", "Succeeded")
    assert space.log("ordered") == "first\nsecond\n"
    assert pods.exit_code(pod, "first", init=True) == 0
    assert pods.condition(pod, "Initialized")["status"] == "True"


def test_a_failed_init_container_fails_the_pod(space: Space) -> None:
    init = pods.container(space.image, "exit 1", name="init")
    space.create(pods.pod("stuck", pods.container(space.image), initContainers=[init]))
    pod = space.phase("stuck", "Failed")
    assert pods.exit_code(pod, "init", init=True) == 1
    assert pods.waiting_reason(pod) == "PodInitializing"


def test_a_failed_init_container_is_tried_again(space: Space) -> None:
    script = "echo x >> /data/tries; [ $(wc -l < /data/tries) = 2 ]"
    init = pods.container(space.image, script, name="init", **_mounts())
    main = pods.container(space.image)
    spec = {"initContainers": [init], "volumes": _volumes(), "restartPolicy": "OnFailure"}
    space.create(pods.pod("retried", main, **spec))
    pod = space.ready("retried", timeout=40)
    assert pods.status_of(pod, "init", init=True)["restartCount"] == 1


def test_a_pod_shows_where_it_is(space: Space) -> None:
    status = space.run_ready("placed")["status"]
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["hostIPs"] == [{"ip": status["hostIP"]}]
    assert status["startTime"].endswith("Z")
    assert status["qosClass"] == "BestEffort"


def test_a_container_shows_what_it_is(space: Space) -> None:
    status = pods.status_of(space.run_ready("placed"))
    assert status["containerID"].startswith("containerd://")
    assert "sha256:" in status["imageID"]
    assert status["image"]
    assert (status["started"], status["ready"], status["restartCount"]) == (True, True, 0)
    assert status["state"]["running"]["startedAt"].endswith("Z")


def test_pods_reach_each_other(space: Space) -> None:
    address = space.run_ready("server", "echo hi > /www/index.html; httpd -p 80 -h /www; " + pods.IDLE)
    url = f"http://{address['status']['podIP']}/"
    script = f"until wget -q -O - {url}; do sleep 0.2; done"
    assert space.run_through("client", script) == "hi\n"


def test_a_deadline_ends_a_pod(space: Space) -> None:
    space.run("late", activeDeadlineSeconds=1)
    pod = space.phase("late", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"


def _mounts() -> Object:
    return {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


def _volumes() -> list[Object]:
    return [{"name": "data", "emptyDir": {}}]


def _data() -> Object:
    """An emptyDir at /data, for a pod of one container."""
    return {"container": _mounts(), "volumes": _volumes()}
