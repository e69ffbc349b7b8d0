"""Ephemeral containers: `kubectl debug`, and the subresource under it."""

import pytest

from conformance import pods, terminal
from conformance.kubectl import Kubectl
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

MARKED = f"ln -s /bin/busybox /tmp/marked; /tmp/marked sleep 3600 & {pods.IDLE}"
DATA: Object = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


@pytest.fixture(scope="module")
def target(shared_space: Space) -> str:
    """The name of a running pod, to which the tests add."""
    shared_space.run_ready("target", MARKED)
    return "target"


def status_of(pod: Object, name: str) -> Object:
    statuses = pod["status"].get("ephemeralContainerStatuses", [])
    return next((each for each in statuses if each["name"] == name), {})


def add(space: Space, pod: str, name: str, script: str, **more: object) -> None:
    """As kubectl debug does: a strategic merge patch of the subresource."""
    container = {**pods.container(space.image, script, name=name), **more}
    path = space.path("pods", pod) + "/ephemeralcontainers"
    kind = "application/strategic-merge-patch+json"
    space.rest.patch(path, {"spec": {"ephemeralContainers": [container]}}, content_type=kind)


def ended(space: Space, pod: str, name: str) -> Object:
    """The container's status when it has ended."""
    there = space.until(pod, lambda it: "terminated" in status_of(it, name).get("state", {}), what="ended")
    return status_of(there, name)


def test_one_is_added_to_a_running_pod_and_can_be_reached(
    shared_space: Space, admin: Kubectl, target: str
) -> None:
    kubectl, space = admin.within(shared_space.name), shared_space
    add(space, target, "debugger", "echo polo; " + pods.IDLE)
    pod = space.until(
        target, lambda it: "running" in status_of(it, "debugger").get("state", {}), what="debugger runs"
    )
    eventually(lambda: kubectl("logs", target, "-c", "debugger").text == "polo\n", what="it says so")
    assert kubectl("exec", target, "-c", "debugger", "--", "echo", "marco").text == "marco\n"
    status = status_of(pod, "debugger")
    assert (status["ready"], status["restartCount"]) == (False, 0)
    assert status["containerID"].startswith("containerd://")
    assert space.event(target, "Started")


def test_more_may_be_added_later(shared_space: Space, target: str) -> None:
    for name in ("one", "two"):
        add(shared_space, target, name, f"echo {name}")
    for name in ("one", "two"):
        assert ended(shared_space, target, name)["state"]["terminated"]["exitCode"] == 0
        assert shared_space.log(target, container=name) == f"{name}\n"


def test_it_sees_the_processes_of_its_target(shared_space: Space, target: str) -> None:
    add(shared_space, target, "inspector", "ps; ls /proc/1/root/tmp/marked", targetContainerName="main")
    ended(shared_space, target, "inspector")
    text = shared_space.log(target, container="inspector")
    assert "marked sleep" in text
    assert "/proc/1/root/tmp/marked" in text
    add(shared_space, target, "stranger", "ps")
    ended(shared_space, target, "stranger")
    assert "marked" not in shared_space.log(target, container="stranger")


def test_it_is_not_started_again_and_leaves_the_pod_as_it_is(shared_space: Space, target: str) -> None:
    add(shared_space, target, "failing", "exit 3")
    status = ended(shared_space, target, "failing")
    assert (status["state"]["terminated"]["exitCode"], status["restartCount"]) == (3, 0)
    pod = shared_space.pod(target)
    assert (pod["status"]["phase"], pods.ready(pod)) == ("Running", True)
    assert pod["status"]["observedGeneration"] == pod["metadata"]["generation"]


def test_debug_gives_a_terminal(shared_space: Space, admin: Kubectl, target: str) -> None:
    kubectl = admin.within(shared_space.name)
    command = ("debug", "-it", target, f"--image={shared_space.image}", "--target=main", "-c", "shell")
    with terminal.opened(kubectl.arguments(*command, "--profile=general", "--", "sh")) as screen:
        screen.expect("#")
        screen.type("echo $((6 * 7)); ps\n")
        screen.expect("42")
        screen.expect("marked sleep")
        screen.type("exit 4\n")
        screen.wait()
    assert ended(shared_space, target, "shell")["state"]["terminated"]["exitCode"] == 4


def test_it_does_not_hold_up_the_end_of_a_pod(space: Space) -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    space.run_ready("job", "until [ -e /data/go ]; do sleep 0.1; done", container=DATA, volumes=volumes)
    add(space, "job", "debugger", "trap 'exit 0' TERM; touch /data/go; " + pods.IDLE, **DATA)
    pod = space.phase("job", "Succeeded")
    assert status_of(pod, "debugger")["state"]["terminated"]["exitCode"] == 0
