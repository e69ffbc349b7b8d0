"""Init containers and sidecars: their order at the start and the end, restarts, readiness, failures."""

from typing import Any

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

DATA: Object = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
VOLUMES = [{"name": "data", "emptyDir": {}}]


def noting(space: Space, name: str, script: str, **more: Any) -> Object:
    """A container that writes into /data/log what it does: `note WORD`."""
    prelude = f"note() {{ echo {name} $1 >> /data/log; }}; note start; "
    return pods.container(space.image, prelude + script, name=name, **DATA, **more)


def sidecar(space: Space, name: str, script: str = "", **more: Any) -> Object:
    stay = "trap 'note stop; exit 0' TERM; while :; do sleep 0.1; done"
    return noting(space, name, script or stay, restartPolicy="Always", **more)


def test_each_init_container_ends_before_the_next_begins(space: Space) -> None:
    inits = [noting(space, each, "sleep 0.2; note end") for each in ("one", "two")]
    main = noting(space, "main", "cat /data/log")
    space.create(pods.pod("ordered", main, initContainers=inits, volumes=VOLUMES))
    pod = space.phase("ordered", "Succeeded")
    assert space.log("ordered").split("\n")[:5] == [
        "one start",
        "one end",
        "two start",
        "two end",
        "main start",
    ]
    statuses = pod["status"]["initContainerStatuses"]
    assert [(each["name"], each["ready"], each["restartCount"]) for each in statuses] == [
        ("one", True, 0),
        ("two", True, 0),
    ]
    assert pods.condition(pod, "Initialized")["reason"] == "PodCompleted"


def test_a_pod_that_never_restarts_fails_with_its_init_container(space: Space) -> None:
    inits = [pods.container(space.image, "exit 3", name="bad"), pods.container(space.image, name="next")]
    space.create(pods.pod("stuck", pods.container(space.image), initContainers=inits))
    pod = space.phase("stuck", "Failed")
    assert pods.exit_code(pod, "bad", init=True) == 3
    assert pods.status_of(pod, "next", init=True)["state"]["waiting"]["reason"] == "PodInitializing"
    assert "containerID" not in pods.status_of(pod)
    initialized = pods.condition(pod, "Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert initialized["message"] == "containers with incomplete status: [bad next]"
    assert pods.condition(pod, "Ready")["reason"] == "PodFailed"


def test_a_pod_that_restarts_tries_its_init_container_again_and_stays_pending(space: Space) -> None:
    init = pods.container(space.image, "exit 1", name="bad")
    space.create(
        pods.pod("stuck", pods.container(space.image), initContainers=[init], restartPolicy="Always")
    )
    again = lambda pod: pods.status_of(pod, "bad", init=True).get("restartCount", 0) >= 1  # noqa: E731
    pod = space.until("stuck", again, what="tried again")
    assert pod["status"]["phase"] == "Pending"
    assert pods.condition(pod, "Initialized")["status"] == "False"
    backs_off = lambda pod: "CrashLoopBackOff" in str(pod["status"]["initContainerStatuses"])  # noqa: E731
    space.until("stuck", backs_off, what="backs off")
    assert "containerID" not in pods.status_of(space.pod("stuck"))


def test_sidecars_start_in_order_and_stay(space: Space) -> None:
    probe = {"exec": {"command": ["test", "-e", "/data/up"]}, "periodSeconds": 1, "failureThreshold": 30}
    first = sidecar(space, "first", "sleep 1; note up; touch /data/up; " + pods.IDLE, startupProbe=probe)
    inits = [first, noting(space, "plain", "note end"), sidecar(space, "second")]
    main = noting(space, "main", "cat /data/log; " + pods.IDLE)
    space.create(pods.pod("sided", main, initContainers=inits, volumes=VOLUMES))
    pod = space.ready("sided")
    seen = ["first start", "first up", "plain start", "plain end", "second start", "main start"]
    in_order = lambda: space.log("sided", container="main").splitlines() == seen  # noqa: E731
    eventually(in_order, what="they have noted their order")
    states = {each["name"]: each for each in pod["status"]["initContainerStatuses"]}
    assert [states[each]["started"] for each in ("first", "plain", "second")] == [True, False, True]
    assert "running" in states["second"]["state"]


def test_the_end_of_the_containers_ends_the_sidecars_in_reverse_order(space: Space) -> None:
    inits = [sidecar(space, "first"), sidecar(space, "second")]
    main = noting(space, "main", "sleep 0.5; note end")
    grace = {"terminationGracePeriodSeconds": 20}
    space.create(pods.pod("job", main, initContainers=inits, volumes=VOLUMES, **grace))
    space.rest.patch(space.path("pods", "job"), {"metadata": {"finalizers": ["example.com/hold"]}})
    pod = space.phase("job", "Succeeded")
    codes = [pods.exit_code(pod, each, init=True) for each in ("first", "second")]
    ended = [
        pods.status_of(pod, each, init=True)["state"]["terminated"]["finishedAt"]
        for each in ("first", "second")
    ]
    space.rest.patch(space.path("pods", "job"), {"metadata": {"finalizers": None}})
    assert codes == [0, 0]
    assert ended[0] >= ended[1]


def test_a_sidecars_failure_counts_for_nothing_at_the_end(space: Space) -> None:
    failing = sidecar(space, "failing", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    main = noting(space, "main", "exit 0")
    grace = {"terminationGracePeriodSeconds": 20}
    space.create(pods.pod("job", main, initContainers=[failing], volumes=VOLUMES, **grace))
    pod = space.phase("job", "Succeeded")
    assert pods.exit_code(pod, "failing", init=True) == 7


def test_a_sidecar_starts_again_beside_the_others(space: Space) -> None:
    once = sidecar(space, "side", "[ -e /data/was ] || { touch /data/was; exit 1; }; " + pods.IDLE)
    main = noting(space, "main", pods.IDLE)
    space.create(pods.pod("sided", main, initContainers=[once], volumes=VOLUMES))
    again = lambda pod: pods.status_of(pod, "side", init=True).get("restartCount") == 1 and pods.ready(pod)  # noqa: E731
    pod = space.until("sided", again, what="sidecar restarted")
    assert pods.status_of(pod, "side", init=True)["lastState"]["terminated"]["exitCode"] == 1
    assert pods.status_of(pod)["restartCount"] == 0


def test_a_sidecar_that_is_not_ready_keeps_the_pod_unready(space: Space) -> None:
    probe = {"exec": {"command": ["test", "-e", "/data/ready"]}, "periodSeconds": 1}
    inits = [sidecar(space, "side", readinessProbe=probe)]
    space.create(pods.pod("sided", noting(space, "main", pods.IDLE), initContainers=inits, volumes=VOLUMES))
    pod = space.phase("sided", "Running")
    ready = pods.condition(pod, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    unready = "containers with unready status: [side"
    space.until("sided", lambda it: pods.condition(it, "Ready")["message"].startswith(unready), what="waits")
    assert pods.condition(pod, "Initialized")["status"] == "True"


def test_a_sidecars_liveness_failure_restarts_it(space: Space) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/dead"]}, "periodSeconds": 1, "failureThreshold": 1}
    script = "[ -e /data/was ] || touch /tmp/dead /data/was; " + pods.IDLE
    inits = [sidecar(space, "side", script, livenessProbe=probe)]
    space.create(pods.pod("sided", noting(space, "main", pods.IDLE), initContainers=inits, volumes=VOLUMES))
    again = lambda pod: pods.status_of(pod, "side", init=True).get("restartCount") == 1  # noqa: E731
    space.until("sided", again, what="sidecar restarted")
    messages = [each["message"] for each in space.events("sided") if each["reason"] == "Killing"]
    assert messages == ["Init container side failed liveness probe"]


def test_deletion_ends_containers_before_sidecars(space: Space) -> None:
    slow = "trap 'sleep 1; note stop; exit 0' TERM; while :; do sleep 0.1; done"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo second hook >> /data/log"]}}}
    inits = [sidecar(space, "first"), sidecar(space, "second", lifecycle=hook)]
    tail = "trap 'sleep 1.5; kill %1; exit 0' TERM; tail -f /data/log & wait"
    follower = pods.container(space.image, f"touch /data/log; {tail}", name="follower", **DATA)
    space.create(
        pods.pod(
            "sided",
            noting(space, "main", slow),
            initContainers=[{**follower, "restartPolicy": "Always"}, *inits],
            volumes=VOLUMES,
            terminationGracePeriodSeconds=20,
        )
    )
    space.ready("sided")
    space.rest.patch(space.path("pods", "sided"), {"metadata": {"finalizers": ["example.com/hold"]}})
    space.rest.delete(space.path("pods", "sided"))
    space.until("sided", lambda pod: pods.exit_code(pod, "follower", init=True) is not None, what="has ended")
    log = space.log("sided", container="follower").splitlines()
    space.rest.patch(space.path("pods", "sided"), {"metadata": {"finalizers": None}})
    assert log[2:] == ["main start", "second hook", "main stop", "second stop", "first stop"], log
    assert eventually(lambda: space.rest.request("GET", space.path("pods", "sided")).code == 404, what="gone")
