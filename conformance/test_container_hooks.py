"""Lifecycle hooks: postStart and preStop with exec, httpGet and sleep, their failures, and stop signals."""

import time
from functools import partial
from typing import Any

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(scope="module")
def server(shared_space: Space) -> Object:
    """A pod that says in its log what it is asked for."""
    script = "cd /www; touch hook; exec httpd -f -vv -p 8080 -h /www"
    return shared_space.run_ready("server", script)


def asked(space: Space) -> str:
    return space.log("server")


def http_get(server: Object, path: str, **more: Any) -> Object:
    return {"httpGet": {"host": server["status"]["podIP"], "port": 8080, "path": path, **more}}


def execute(script: str) -> Object:
    return {"exec": {"command": ["sh", "-c", script]}}


def hooked(space: Space, name: str, hooks: Object, script: str = pods.IDLE, **spec: Any) -> None:
    space.run(name, script, container={"lifecycle": hooks}, **spec)


def test_a_start_hook_runs_beside_the_container_before_it_counts_as_running(space: Space) -> None:
    hook = {"postStart": execute("echo hook > /proc/1/fd/1; sleep 2; echo over > /proc/1/fd/1")}
    hooked(space, "started", hook, "echo main; " + pods.IDLE)
    eventually(lambda: "hook" in space.log("started"), what="the hook runs")
    pod = space.pod("started")
    if "over" not in space.log("started"):
        assert pods.waiting_reason(pod) == "ContainerCreating"
        assert pod["status"]["phase"] == "Pending"
    space.ready("started")
    assert space.log("started").splitlines()[-1] == "over"


def test_start_hooks_may_ask_over_http(shared_space: Space, server: Object) -> None:
    hooked(shared_space, "asks", {"postStart": http_get(server, "/poststart")})
    shared_space.ready("asks")
    assert "poststart" in asked(shared_space)


def test_stop_hooks_may_ask_over_http(shared_space: Space, server: Object) -> None:
    hooked(shared_space, "asks-last", {"preStop": http_get(server, "/prestop")})
    shared_space.ready("asks-last")
    shared_space.remove_pod("asks-last", grace=10)
    assert "prestop" in asked(shared_space)


def test_https_falls_back_to_http(shared_space: Space, server: Object) -> None:
    hooked(shared_space, "asks-safely", {"postStart": http_get(server, "/safely", scheme="HTTPS")})
    shared_space.ready("asks-safely")
    assert "safely" in asked(shared_space)
    assert (
        "retry with HTTP succeeded" in shared_space.event("asks-safely", "LifecycleHTTPFallback")["message"]
    )


def test_a_start_hook_that_fails_ends_the_container(space: Space) -> None:
    refused = {"postStart": {"httpGet": {"port": 1, "path": "/"}}}
    for name, hook in (("failing", {"postStart": execute("exit 3")}), ("refused", refused)):
        hooked(space, name, hook, "trap 'exit 5' TERM; while :; do sleep 0.1; done")
        assert space.event(name, "FailedPostStartHook")["message"] == "PostStartHook failed"
        eventually(partial(killed, space, name), what=f"{name} is killed")
        space.phase(name, "Failed")


def killed(space: Space, name: str) -> bool:
    return ("Killing", "FailedPostStartHook") in [
        (each["reason"], each["message"]) for each in space.events(name)
    ]


def test_a_stop_hook_that_fails_is_told_and_holds_up_nothing(space: Space) -> None:
    hooked(space, "failing", {"preStop": execute("exit 3")}, terminationGracePeriodSeconds=20)
    space.ready("failing")
    space.rest.delete(space.path("pods", "failing"))
    space.rest.gone(space.path("pods", "failing"), timeout=15)
    assert space.event("failing", "FailedPreStopHook")["message"] == "PreStopHook failed"


def test_hooks_may_sleep_also_for_no_time(space: Space) -> None:
    hooks = {"postStart": {"sleep": {"seconds": 0}}, "preStop": {"sleep": {"seconds": 2}}}
    hooked(space, "sleeper", hooks, terminationGracePeriodSeconds=30)
    space.ready("sleeper")
    began = time.monotonic()
    space.remove_pod("sleeper", grace=30)
    assert 2 <= time.monotonic() - began < 25


def test_a_stop_hook_takes_no_longer_than_the_grace(space: Space) -> None:
    hooked(space, "sleeper", {"preStop": {"sleep": {"seconds": 600}}}, terminationGracePeriodSeconds=601)
    hooked(space, "slow", {"preStop": execute("sleep 600")}, terminationGracePeriodSeconds=1)
    for name in ("sleeper", "slow"):
        space.ready(name)
        space.rest.delete(space.path("pods", name), gracePeriodSeconds=1)
    for name in ("sleeper", "slow"):
        space.rest.gone(space.path("pods", name), timeout=15)
        assert "FailedPreStopHook" not in {each["reason"] for each in space.events(name)}


def test_a_container_stops_by_the_signal_that_it_names(space: Space) -> None:
    script = "trap 'exit 9' USR1; trap 'exit 1' TERM; echo up; while :; do sleep 0.1; done"
    spec = {"terminationGracePeriodSeconds": 20, "os": {"name": "linux"}}
    container = {"lifecycle": {"stopSignal": "SIGUSR1"}}
    pod = space.run_until_it_says("up", "signalled", script, container=container, **spec)
    assert pods.status_of(pod)["stopSignal"] == "SIGUSR1"
    path = space.path("pods", "signalled")
    space.rest.patch(path, {"metadata": {"finalizers": ["example.com/hold"]}})
    space.rest.delete(path)
    pod = space.until("signalled", lambda it: pods.exit_code(it) is not None, what="has ended")
    space.rest.patch(path, {"metadata": {"finalizers": None}})
    assert pods.exit_code(pod) == 9
