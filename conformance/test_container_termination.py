"""How a pod goes: signals, grace, force, and what is left of it."""

import pytest

from conformance import pods
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_a_container_is_asked_to_end_and_given_time(space: Space) -> None:
    script = "trap 'echo asked; sleep 1; echo done; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    space.run_until_it_says("ready", "polite", script, terminationGracePeriodSeconds=20)
    with space.rest.watch(space.path("pods"), fieldSelector="metadata.name=polite") as events:
        next(events)
        answer = space.rest.delete(space.path("pods", "polite"))
        assert answer["metadata"]["deletionGracePeriodSeconds"] == 20
        assert answer["metadata"]["deletionTimestamp"]
        for event in events:
            if event["type"] == "DELETED":
                break
    ended = pods.status_of(event["object"])["state"]["terminated"]
    assert ended["exitCode"] == 0
    assert event["object"]["status"]["phase"] in ("Succeeded", "Running")


def test_a_container_that_does_not_listen_is_killed_after_its_grace(space: Space) -> None:
    space.run_ready("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=2)
    with space.rest.watch(space.path("pods"), fieldSelector="metadata.name=deaf") as events:
        next(events)
        space.rest.delete(space.path("pods", "deaf"))
        last = next(event for event in events if event["type"] == "DELETED")
    assert pods.status_of(last["object"])["state"]["terminated"]["exitCode"] == 137
    assert space.event("deaf", "Killing")["message"] == "Stopping container main"


def test_the_request_may_shorten_the_grace(space: Space) -> None:
    space.run_ready("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=600)
    space.rest.delete(space.path("pods", "deaf"), gracePeriodSeconds=1)
    space.rest.gone(space.path("pods", "deaf"), timeout=15)


def test_a_second_request_may_shorten_it_further(space: Space) -> None:
    space.run_ready("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=600)
    path = space.path("pods", "deaf")
    assert space.rest.delete(path)["metadata"]["deletionGracePeriodSeconds"] == 600
    assert space.rest.delete(path, gracePeriodSeconds=1)["metadata"]["deletionGracePeriodSeconds"] == 1
    space.rest.gone(path, timeout=15)


def test_a_pod_without_a_node_goes_at_once(space: Space) -> None:
    space.run("unbound", nodeSelector={"no.such/label": "x"}, terminationGracePeriodSeconds=600)
    space.rest.delete(space.path("pods", "unbound"))
    space.rest.refusal(404, "GET", space.path("pods", "unbound"))


def test_by_force_the_object_goes_at_once(space: Space) -> None:
    space.run_ready("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=600)
    space.rest.delete(space.path("pods", "deaf"), gracePeriodSeconds=0)
    space.rest.refusal(404, "GET", space.path("pods", "deaf"))


def test_the_name_is_free_again(space: Space) -> None:
    first = space.run_ready("phoenix")["metadata"]["uid"]
    space.rest.delete(space.path("pods", "phoenix"), gracePeriodSeconds=0)
    second = space.run_ready("phoenix")
    assert second["metadata"]["uid"] != first
    assert pods.status_of(second)["restartCount"] == 0


def test_a_completed_pod_is_deleted(space: Space) -> None:
    space.run("job", "true", terminationGracePeriodSeconds=600)
    space.phase("job", "Succeeded")
    space.rest.delete(space.path("pods", "job"))
    space.rest.gone(space.path("pods", "job"), timeout=15)


def test_a_pod_that_is_still_starting_is_deleted(space: Space) -> None:
    space.run("hasty")
    space.rest.delete(space.path("pods", "hasty"))
    space.rest.gone(space.path("pods", "hasty"), timeout=15)


def test_a_stop_hook_runs_before_the_signal(space: Space) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /proc/1/fd/1"]}}}
    script = "trap 'echo signal; exit 0' TERM; echo here; while :; do sleep 0.1; done"
    grace = {"terminationGracePeriodSeconds": 10}
    space.run_until_it_says("here", "hooked", script, container={"lifecycle": hook}, **grace)
    body = {"metadata": {"finalizers": ["example.com/hold"]}}
    path = space.path("pods", "hooked")
    space.rest.patch(path, body)
    space.rest.delete(path)
    space.until("hooked", lambda pod: pods.exit_code(pod) == 0, what="has ended")
    log = space.log("hooked")
    space.rest.patch(path, {"metadata": {"finalizers": None}})
    assert log == "here\nhook\nsignal\n"


def test_a_namespace_goes_with_its_running_pods(space: Space) -> None:
    space.run_ready("inhabitant")
    space.rest.delete(f"/api/v1/namespaces/{space.name}")
    space.rest.gone(f"/api/v1/namespaces/{space.name}")
