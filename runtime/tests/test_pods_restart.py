"""Restart policies and rules of single containers, and the new start of all."""

from dataclasses import replace
from typing import Any

import pytest

from runtime.pods.actions import pod_actions
from runtime.pods.observed import State
from runtime.pods.restart import matching_action, should_restart
from runtime.tests.test_pods_status import a_container, a_pod, condition, exited, seen, status_of


def rule(operator: str, *values: int, action: str = "Restart") -> dict[str, Any]:
    return {"action": action, "exitCodes": {"operator": operator, "values": [*values]}}


@pytest.mark.parametrize(
    ("policy", "own", "rules", "code", "again"),
    [
        ("Never", "Always", [], 0, True),
        ("Always", "Never", [], 1, False),
        ("Always", "OnFailure", [], 0, False),
        ("Never", "OnFailure", [], 1, True),
        ("Never", "Never", [rule("In", 42)], 42, True),
        ("Never", "Never", [rule("In", 42)], 1, False),
        ("Never", "Never", [rule("NotIn", 42)], 1, True),
        ("Never", "Never", [rule("NotIn", 42)], 42, False),
        ("Always", "Never", [rule("In", 1, action="RestartAllContainers")], 1, True),
        ("Never", None, [rule("In", 42)], 42, False),
    ],
    ids=str,
)
def test_a_containers_own_policy_and_rules_come_before_the_pods(
    policy: str, own: str | None, rules: list[dict[str, Any]], code: int, again: bool
) -> None:
    container = {"name": "a", "restartPolicyRules": rules, **({"restartPolicy": own} if own else {})}
    assert should_restart(a_pod(restartPolicy=policy), container, code) is again


def test_the_first_rule_that_matches_decides() -> None:
    rules = [rule("In", 1, action="RestartAllContainers"), rule("NotIn", 0)]
    container = {"name": "a", "restartPolicy": "Never", "restartPolicyRules": rules}
    assert matching_action(container, 1) == "RestartAllContainers"
    assert matching_action(container, 2) == "Restart"
    assert matching_action(container, 0) == ""


@pytest.mark.parametrize(("code", "phase"), [(42, "Running"), (1, "Failed"), (0, "Succeeded")])
def test_the_phase_follows_the_rules(code: int, phase: str) -> None:
    pod = a_pod(restartPolicy="Never")
    pod["spec"]["containers"][0] |= {"restartPolicy": "Never", "restartPolicyRules": [rule("In", 42)]}
    assert status_of(pod, seen(exited(code=code)))["phase"] == phase
    assert pod_actions(pod, seen(exited(code=code))).start == (["a"] if phase == "Running" else [])


def test_an_init_container_may_have_a_policy_of_its_own() -> None:
    init = {"name": "i", "image": "app", "restartPolicy": "OnFailure"}
    pod = a_pod(init=[init], restartPolicy="Never")
    assert pod_actions(pod, seen(exited("i", 1))).start == ["i"]
    assert status_of(pod, seen(exited("i", 1)))["phase"] == "Pending"
    init["restartPolicy"] = "Never"
    assert pod_actions(pod, seen(exited("i", 1))).kill_pod
    assert status_of(a_pod(init=[init]), seen(exited("i", 1)))["phase"] == "Failed"


def restarter() -> dict[str, Any]:
    pod = a_pod("a", "b", init=[{"name": "i", "image": "app"}], restartPolicy="Never")
    rules = [rule("In", 42, action="RestartAllContainers")]
    pod["spec"]["containers"][0] |= {"restartPolicy": "Never", "restartPolicyRules": rules}
    return pod


def test_all_are_killed_then_removed_and_the_one_that_asked_for_it_goes_last() -> None:
    pod, source = restarter(), exited("a", 42)
    first = pod_actions(pod, seen(exited("i"), source, a_container("b")))
    assert ([*first.kill], first.remove, first.restart_all) == (["b-0"], ["i-0"], True)
    assert pod_actions(pod, seen(source, exited("b", 137))).remove == ["b-0"]
    assert pod_actions(pod, seen(source)).remove == ["a-0"]
    assert pod_actions(pod, seen()).start == ["i"]


def test_the_status_tells_of_the_new_start_of_all() -> None:
    pod, source = restarter(), exited("a", 42)
    running = status_of(pod, seen(exited("i"), a_container("a"), a_container("b")))
    assert condition(running, "AllContainersRestarting")["status"] == "False"
    pod["status"] = running
    pod["status"] = status_of(pod, seen(source))
    restarting = condition(pod["status"], "AllContainersRestarting")
    assert (restarting["status"], restarting["reason"]) == ("True", "RestartAllContainersStarted")
    assert restarting["message"] == "container exited with restart policy rule"
    pod["status"] = status = status_of(pod, seen())
    assert condition(status, "AllContainersRestarting")["status"] == "False"
    assert (status["phase"], condition(status, "Initialized")["status"]) == ("Running", "True")
    first, second = status["containerStatuses"]
    assert [each["restartCount"] for each in (*status["initContainerStatuses"], first, second)] == [1, 1, 1]
    assert second["state"]["waiting"]["reason"] == "RestartingAllContainers"
    assert second["lastState"]["terminated"]["reason"] == "RestartingAllContainers"
    assert first["lastState"]["terminated"]["exitCode"] == 42
    again = status_of(pod, seen())["containerStatuses"]
    assert [each["restartCount"] for each in again] == [1, 1]
    assert [each["lastState"] for each in again] == [each["lastState"] for each in (first, second)]


def test_a_sidecar_lets_all_start_anew_though_the_others_may_not() -> None:
    rules = [rule("In", 42, action="RestartAllContainers")]
    side = {"name": "s", "image": "app", "restartPolicy": "Always", "restartPolicyRules": rules}
    pod = a_pod(init=[side], restartPolicy="Never")
    pod["status"] = status_of(pod, seen(a_container("s"), a_container("a")))
    pod["status"] = status_of(pod, seen(exited("s", 42), exited("a", 137)))
    assert pod["status"]["phase"] == "Running"
    assert condition(pod["status"], "AllContainersRestarting")["status"] == "True"
    assert status_of(pod, seen(exited("s", 42)))["phase"] == "Running"
    assert status_of(pod, seen())["phase"] == "Running"


def test_a_container_that_was_only_made_asks_for_nothing() -> None:
    made = replace(a_container("a", State.CREATED), exit_code=42)
    assert not pod_actions(restarter(), seen(exited("i"), made)).restart_all
