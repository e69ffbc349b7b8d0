"""Decisions and statuses, from a spec and what the runtime reports."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.pods.actions import ProbeResults, pod_actions
from runtime.pods.identity import container_hash
from runtime.pods.observed import ObservedContainer, ObservedPod, ObservedSandbox, State
from runtime.pods.status.container import Knowledge, Waiting
from runtime.pods.status.pod import Verdict, pod_status

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def a_pod(*names: str, init: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": each, "image": "app"} for each in names or ("a",)]
    return {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"containers": containers, "initContainers": init or [], **spec},
    }


def seen(*containers: ObservedContainer, ready: bool = True, attempt: int = 0) -> ObservedPod:
    sandbox = ObservedSandbox(f"s{attempt}", ready, attempt, T0, ("10.0.0.1",) if ready else ())
    return ObservedPod({sandbox.id: sandbox}, {each.id: each for each in containers})


def a_container(
    name: str = "a", state: State = State.RUNNING, code: int = 0, count: int = 0
) -> ObservedContainer:
    return ObservedContainer(
        id=f"{name}-{count}",
        sandbox_id="s0",
        name=name,
        state=state,
        restart_count=count,
        hash=container_hash({"name": name, "image": "app"}),
        created_at=T0,
        started_at=T0,
        finished_at=None if state is State.RUNNING else T0 + timedelta(seconds=5),
        exit_code=code,
    )


def exited(name: str = "a", code: int = 0, count: int = 0) -> ObservedContainer:
    return a_container(name, State.EXITED, code, count)


INIT = {"name": "i", "image": "app"}
SIDECAR = {"name": "side", "image": "app", "restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("policy", "code", "starts"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_the_restart_policy_decides_who_starts_again(policy: str, code: int, starts: bool) -> None:
    actions = pod_actions(a_pod(restartPolicy=policy), seen(exited(code=code)))
    assert actions.start == (["a"] if starts else [])
    assert actions.kill_pod is not starts


def test_a_new_pod_gets_a_sandbox_first() -> None:
    actions = pod_actions(a_pod(), ObservedPod())
    assert (actions.create_sandbox, actions.attempt, actions.start) == (True, 0, [])


def test_a_dead_sandbox_is_made_again() -> None:
    actions = pod_actions(a_pod(), seen(exited(code=255), ready=False))
    assert (actions.create_sandbox, actions.attempt) == (True, 1)


@pytest.mark.parametrize(("policy", "code"), [("Never", 255), ("OnFailure", 0)])
def test_a_dead_sandbox_with_nothing_left_to_run_stays_dead(policy: str, code: int) -> None:
    actions = pod_actions(a_pod(restartPolicy=policy), seen(exited(code=code), ready=False))
    assert actions.nothing


def test_init_containers_run_again_in_a_new_sandbox() -> None:
    old = seen(exited("i"), exited("a", 255), ready=False)
    new = ObservedSandbox("s1", True, 1, T0)
    observed = ObservedPod({**old.sandboxes, "s1": new}, old.containers)
    assert pod_actions(a_pod(init=[INIT]), observed).start == ["i"]


def test_init_containers_do_not_run_again_beside_containers() -> None:
    assert pod_actions(a_pod(init=[INIT]), seen(a_container())).start == []


def test_a_sidecar_must_have_started_before_what_follows() -> None:
    pod = a_pod(init=[SIDECAR, INIT])
    waiting = ProbeResults(not_started=frozenset({"side"}))
    assert pod_actions(pod, seen(a_container("side")), waiting).start == []
    assert pod_actions(pod, seen(a_container("side"))).start == ["i"]


def test_a_sidecar_is_restarted_beside_running_containers() -> None:
    pod = a_pod(init=[SIDECAR], restartPolicy="Never")
    assert pod_actions(pod, seen(exited("side", 1), a_container())).start == ["side"]


def status_of(pod: dict[str, Any], observed: ObservedPod, **known: Any) -> dict[str, Any]:
    arguments = {key: known.pop(key) for key in ("ended", "starting", "verdict") if key in known}
    return pod_status(pod, observed, Knowledge(**known), host_ips=["192.0.2.1"], now=T0, **arguments)


@pytest.mark.parametrize(
    ("policy", "containers", "phase"),
    [
        ("Always", [], "Pending"),
        ("Always", [a_container("a")], "Pending"),
        ("Always", [a_container("a"), a_container("b")], "Running"),
        ("Always", [a_container("a"), exited("b", 1)], "Running"),
        ("Always", [exited("a"), exited("b")], "Running"),
        ("OnFailure", [exited("a"), exited("b")], "Succeeded"),
        ("OnFailure", [exited("a"), exited("b", 1)], "Running"),
        ("Never", [exited("a"), exited("b", 1)], "Failed"),
        ("Never", [exited("a"), a_container("b")], "Running"),
    ],
)
def test_the_phase(policy: str, containers: list[ObservedContainer], phase: str) -> None:
    assert status_of(a_pod("a", "b", restartPolicy=policy), seen(*containers))["phase"] == phase


def test_a_pod_that_crashes_over_and_over_is_still_running() -> None:
    status = status_of(a_pod(), seen(exited(code=1)), waiting={"a": Waiting("CrashLoopBackOff", "m")})
    assert status["phase"] == "Running"
    container = status["containerStatuses"][0]
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}}
    assert container["lastState"]["terminated"]["exitCode"] == 1


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (1, "Failed")])
def test_a_pod_that_was_stopped_for_good(code: int, phase: str) -> None:
    status = status_of(a_pod(), seen(exited(code=code)), ended=True)
    assert status["phase"] == phase


def test_a_finished_pod_stays_finished_whatever_the_runtime_says() -> None:
    pod = {**a_pod(), "status": {"phase": "Succeeded", "startTime": "2026-01-01T00:00:00Z"}}
    assert status_of(pod, ObservedPod())["phase"] == "Succeeded"


def test_a_verdict_fails_the_pod() -> None:
    status = status_of(a_pod(), seen(exited(code=137)), verdict=Verdict("DeadlineExceeded", "too long"))
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "DeadlineExceeded",
        "too long",
    )


def test_a_pod_is_not_over_while_something_of_it_runs() -> None:
    pod = a_pod(init=[SIDECAR], restartPolicy="Never")
    assert status_of(pod, seen(a_container("side"), exited()))["phase"] == "Running"
    debugged = a_pod(ephemeralContainers=[{"name": "debug", "image": "app"}], restartPolicy="Never")
    debugged["status"] = {"phase": "Running"}
    assert status_of(debugged, seen(a_container("debug"), exited()))["phase"] == "Running"
    doomed = {**a_pod(), "status": {"phase": "Running"}}
    status = status_of(doomed, seen(a_container()), verdict=Verdict("DeadlineExceeded", "too long"))
    assert (status["phase"], status.get("reason")) == ("Running", None)
    assert condition(status, "Ready")["reason"] == "PodFailed"
    starting = status_of(a_pod(), seen(), starting=True, verdict=Verdict("DeadlineExceeded", "too long"))
    assert starting["phase"] == "Pending"


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((each for each in status["conditions"] if each["type"] == kind), {})


def test_a_sidecar_that_is_not_ready_keeps_the_pod_from_being_ready() -> None:
    pod, observed = a_pod(init=[SIDECAR]), seen(a_container("side"), a_container())
    ready = condition(status_of(pod, observed, unready=frozenset({"side"})), "Ready")
    assert ready["message"] == "containers with unready status: [side]"
    assert condition(status_of(pod, observed), "Ready")["status"] == "True"


def test_a_sidecar_that_starts_again_leaves_the_pod_running_and_initialized() -> None:
    status = status_of(a_pod(init=[SIDECAR]), seen(exited("side", 1), a_container()))
    assert status["phase"] == "Running"
    assert condition(status, "Initialized")["status"] == "True"


def test_a_pod_is_pending_until_its_sidecars_have_started() -> None:
    observed, starting = seen(a_container("side")), frozenset({"side"})
    status = status_of(a_pod(init=[SIDECAR]), observed, not_started=starting)
    assert status["phase"] == "Pending"
    assert condition(status, "Initialized")["message"] == "containers with incomplete status: [side]"


def test_why_no_container_can_be_started_is_said() -> None:
    assert condition(status_of(a_pod(), ObservedPod()), "PodReadyToStartContainers") == {
        "type": "PodReadyToStartContainers",
        "status": "False",
        "reason": "PodSandboxNotReady",
        "message": "no pod sandbox exists",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def test_an_ephemeral_container_counts_for_nothing() -> None:
    pod = a_pod(ephemeralContainers=[{"name": "debug", "image": "app"}])
    status = status_of(pod, seen(a_container(), exited("debug", 1)))
    assert (status["phase"], condition(status, "Ready")["status"]) == ("Running", "True")
    (debug,) = status["ephemeralContainerStatuses"]
    assert (debug["ready"], "started" in debug, debug["state"]["terminated"]["exitCode"]) == (False, False, 1)
    assert pod_actions(pod, seen(a_container(), exited("debug", 1))).start == []
    assert pod_actions(pod, seen(a_container())).start == ["debug"]
    pod["status"] = {"ephemeralContainerStatuses": [debug]}
    assert pod_actions(pod, seen(a_container())).start == []


def test_termination_messages_share_twelve_kibibytes() -> None:
    pod = a_pod(*"abcdef")
    messages = {f"{each}-0": "x" * 4096 for each in "abcdef"}
    status = status_of(pod, seen(*(exited(each, 1) for each in "abcdef")), messages=messages)
    assert {len(each["state"]["terminated"]["message"]) for each in status["containerStatuses"]} == {2048}


def test_the_runtimes_message_stands_before_the_containers() -> None:
    observed = seen(replace(exited(code=1), message="OCI"))
    ended = status_of(a_pod(), observed, messages={"a-0": "mine"})["containerStatuses"][0]["state"]
    assert ended["terminated"]["message"] == "OCI: mine"


def test_a_container_does_not_run_before_its_start_hook_has_ended() -> None:
    (status,) = status_of(a_pod(), seen(a_container()), hooked=frozenset({"a-0"}))["containerStatuses"]
    assert status["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert (status["ready"], status["started"]) == (False, False)


def test_containers_of_a_pod_that_is_over_have_ended_somehow() -> None:
    (status,) = status_of(a_pod(), seen(ready=False), ended=True)["containerStatuses"]
    ended = status["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")


def test_who_is_not_ready_is_said_in_the_conditions() -> None:
    status = status_of(a_pod("a", "b"), seen(a_container("a"), a_container("b")), unready=frozenset({"b"}))
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    assert ready["reason"] == "ContainersNotReady"
    assert ready["message"] == "containers with unready status: [b]"


def test_readiness_gates_hold_the_pod_back() -> None:
    pod = a_pod(readinessGates=[{"conditionType": "example.test/warm"}])
    by_type = {each["type"]: each for each in status_of(pod, seen(a_container()))["conditions"]}
    assert by_type["ContainersReady"]["status"] == "True"
    assert (by_type["Ready"]["status"], by_type["Ready"]["reason"]) == ("False", "ReadinessGatesNotReady")


def test_transition_times_move_only_with_the_status() -> None:
    old = {"type": "Ready", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"}
    pod = {**a_pod(), "status": {"conditions": [old]}}
    by_type = {each["type"]: each for each in status_of(pod, seen(a_container()))["conditions"]}
    assert by_type["Ready"]["lastTransitionTime"] == "2025-01-01T00:00:00Z"
    assert by_type["ContainersReady"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_a_container_that_is_replaced_shows_its_end_with_its_new_start() -> None:
    pod = a_pod(restartPolicy="Never")
    pod["status"] = status_of(pod, seen(a_container()))
    ended, old = exited(), pod["status"]["containerStatuses"]
    assert status_of(pod, seen(ended), replaced=frozenset({ended.id}))["containerStatuses"] == old
    assert status_of(pod, seen(ended), replaced=frozenset({ended.id}))["phase"] == "Running"
    assert status_of(pod, seen(ended))["phase"] == "Succeeded"


def test_a_waiting_container_says_what_for() -> None:
    pod = a_pod(init=[INIT])
    observed = seen(a_container("i"))
    status = status_of(pod, observed)
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert status_of(a_pod(), seen())["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "ContainerCreating"}
    }
    initialized = next(each for each in status["conditions"] if each["type"] == "Initialized")
    assert initialized["message"] == "containers with incomplete status: [i]"
