"""Probes: exec, HTTP, TCP, gRPC; liveness, readiness, startup; thresholds, grace periods, termination."""

from typing import Any

import pytest

from conformance import pods
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

Object = dict[str, Any]

HTTP, GRPC = ("http",), ("grpc-health",)
FOREVER = ("sh", "-c", pods.IDLE)
STUBBORN = ("signals", "--ignore-term")


def probe(handler: Object, **more: int) -> Object:
    """Fails at once, every second."""
    return {**handler, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 1, **more}


def command(script: str) -> Object:
    return {"exec": {"command": ["sh", "-c", script]}}


def web(path: str, port: int | str = 8080, **more: Any) -> Object:
    return {"httpGet": {"path": path, "port": port, **more}}


def well(handler: Object, **more: int) -> Object:
    """A liveness probe that lets a server come up."""
    return live(handler, **{"failureThreshold": 10, **more})


def live(handler: Object, **more: int) -> Object:
    return {"livenessProbe": probe(handler, **more)}


def up(handler: Object, **more: int) -> Object:
    return {"startupProbe": probe(handler, **more)}


def on(port: int, *arguments: str) -> tuple[str, ...]:
    """A tool at a port of its own: the containers of a pod share them."""
    return (*arguments, f"--port={port}")


STEADY: dict[str, tuple[tuple[str, ...], Object]] = {
    "exec": (FOREVER, well(command("true"))),
    "variables": (
        FOREVER,
        {
            **well({"exec": {"command": ["test", "$(WORD)", "=", "yes"]}}),
            "env": [{"name": "WORD", "value": "yes"}],
        },
    ),
    "http": (on(8080, *HTTP), well(web("/healthz"))),
    "named-port": (
        on(8081, *HTTP),
        {**well(web("/healthz", "web")), "ports": [{"name": "web", "containerPort": 8081}]},
    ),
    "elsewhere": (on(8082, *HTTP), well(web("/redirect?loc=http://0.0.0.0/", 8082))),
    "large-answer": (on(8083, *HTTP), well(web("/size?bytes=100000", 8083))),
    "tcp": (on(8084, *HTTP), well({"tcpSocket": {"port": 8084}})),
    "grpc": (
        (*on(8085, *GRPC), "--http-port=8086"),
        well({"grpc": {"port": 8085, "service": "SERVING"}}, timeoutSeconds=3),
    ),
    "late": (
        on(8087, *HTTP, "--ready-after=2"),
        {**live(web("/healthz", 8087)), **up(web("/healthz", 8087), failureThreshold=60)},
    ),
    "patient": (FOREVER, live(command("test $(($(date +%s) % 2)) = 0"), failureThreshold=60)),
}
"""Containers whose probes do not restart them."""

FAILING: dict[str, tuple[tuple[str, ...], Object, str]] = {
    "exec": (
        ("sh", "-c", f"echo ok >/tmp/health; sleep 1; rm /tmp/health; {pods.IDLE}"),
        live(command("cat /tmp/health"), initialDelaySeconds=1),
        "Liveness probe failed: cat: can't open '/tmp/health': No such file or directory",
    ),
    "timeout": (
        FOREVER,
        live(command("sleep 600")),
        'Liveness probe failed: command timed out: "sh -c sleep 600" timed out after 1s',
    ),
    "http": (
        on(8080, *HTTP, "--fail-after=1"),
        live(web("/healthz"), failureThreshold=3),
        "Liveness probe failed: HTTP probe failed with statuscode: 500",
    ),
    "here": (
        on(8081, *HTTP),
        live(web("/redirect?loc=/none", 8081), failureThreshold=3),
        "Liveness probe failed: HTTP probe failed with statuscode: 404",
    ),
    "tcp": (FOREVER, live({"tcpSocket": {"port": 8082}}), "connect: connection refused"),
    "grpc": (
        (*on(8083, *GRPC), "--http-port=8084"),
        live({"grpc": {"port": 8083, "service": "other"}}, timeoutSeconds=3),
        "Liveness probe failed: error: health rpc probe failed: "
        "rpc error: code = NotFound desc = unknown service",
    ),
    "unhealthy": (
        (*on(8085, *GRPC), "--http-port=8086"),
        live({"grpc": {"port": 8085, "service": "NOT_SERVING"}}, timeoutSeconds=3),
        'Liveness probe failed: service unhealthy (responded with "NOT_SERVING")',
    ),
    "start": (
        FOREVER,
        up(command("echo not yet; false"), failureThreshold=2),
        "Startup probe failed: not yet",
    ),
    "stubborn-live": (
        STUBBORN,
        live(command("echo no; false"), terminationGracePeriodSeconds=1),
        "Liveness probe failed: no",
    ),
    "stubborn-start": (
        STUBBORN,
        up(command("echo no; false"), terminationGracePeriodSeconds=1),
        "Startup probe failed: no",
    ),
    "after-start": (
        FOREVER,
        {**up(command("true")), **live(command("echo dead; false"), failureThreshold=2)},
        "Liveness probe failed: dead",
    ),
}
"""Containers that are restarted, and what an event says of it."""


PODS = 7
"""Of each sort: a pod has room for some 25 events, those that come too fast after that are dropped."""


def steady_pod(name: str) -> str:
    return f"steady-{[*STEADY].index(name) % PODS}"


def failing_pod(name: str) -> str:
    return f"failing-{[*FAILING].index(name) % PODS}"


@pytest.fixture(scope="module")
def probed(shared_space: Space) -> Space:
    """With pods of many containers: the failing ones have a long grace period, which no probe waits for."""
    space = shared_space
    made: dict[str, list[Object]] = {}
    for name, (run, more) in STEADY.items():
        made.setdefault(steady_pod(name), []).append(pods.tool(space.tools, *run, name=name, **more))
    for name, (run, more, _) in FAILING.items():
        made.setdefault(failing_pod(name), []).append(pods.tool(space.tools, *run, name=name, **more))
    for name, containers in made.items():
        grace = {"terminationGracePeriodSeconds": 500} if name.startswith("failing") else {}
        space.create(pods.pod(name, *containers, restartPolicy="Always", **grace))
    return space


@pytest.mark.parametrize("name", FAILING)
def test_a_container_whose_probe_fails_is_restarted(probed: Space, name: str) -> None:
    said = FAILING[name][2]
    restarted = lambda pod: pods.status_of(pod, name).get("restartCount", 0) >= 1  # noqa: E731
    probed.until(failing_pod(name), restarted, what=f"restarts {name}", timeout=60)
    kind = "startup" if said.startswith("Startup") else "liveness"
    killed = f"Container {name} failed {kind} probe, will be restarted"

    def is_told() -> bool:
        told = [each for each in probed.events(failing_pod(name)) if _concerns(each, f"containers{{{name}}}")]
        assert any(said in each["message"] for each in told if each["reason"] == "Unhealthy"), told
        return killed in [each["message"] for each in told if each["reason"] == "Killing"]

    eventually(is_told, what=f"events tell why {name} was restarted")


def test_a_sidecar_whose_probe_fails_is_restarted(probed: Space) -> None:
    beside = pods.tool(
        probed.tools, *FOREVER, name="beside", restartPolicy="Always", **live(command("false"))
    )
    probed.create(pods.pod("served", pods.tool(probed.tools, *FOREVER), initContainers=[beside]))
    restarted = lambda pod: pods.status_of(pod, "beside", init=True).get("restartCount", 0) >= 1  # noqa: E731
    pod = probed.until("served", restarted, what="restarts its sidecar", timeout=60)
    assert pods.status_of(pod)["restartCount"] == 0


def test_restart_counts_only_rise(probed: Space) -> None:
    seen = [0]

    def twice(pod: Object) -> bool:
        seen.append(pods.status_of(pod, "exec").get("restartCount", 0))
        assert seen == sorted(seen)
        return seen[-1] >= 2

    probed.until(failing_pod("exec"), twice, what="restarts again", timeout=60)


@pytest.mark.parametrize("name", STEADY)
def test_a_container_whose_probe_succeeds_is_not_restarted(probed: Space, name: str) -> None:
    """Seen after others have failed, since these began together."""
    status = pods.status_of(probed.ready(steady_pod(name)), name)
    assert (status["ready"], status["restartCount"]) == (True, 0)


def test_a_redirect_to_another_host_is_told_of(probed: Space) -> None:
    warning = probed.event(steady_pod("elsewhere"), "ProbeWarning")["message"]
    assert warning.startswith("Liveness probe warning: Probe terminated redirects, Response body: ")


def test_readiness_follows_its_probe_and_restarts_nothing(probed: Space) -> None:
    def ready(handler: Object, **more: int) -> Object:
        return {"readinessProbe": probe(handler, **more)}

    switched = pods.tool(probed.tools, *FOREVER, name="switched", **ready(command("test -e /shared/ready")))
    delayed = pods.tool(
        probed.tools, *FOREVER, name="delayed", **ready(command("true"), initialDelaySeconds=4)
    )
    never = pods.tool(probed.tools, *FOREVER, name="never", **ready(command("false")))
    slow = pods.tool(probed.tools, *FOREVER, name="slow", **ready(command("sleep 600")))
    twice = pods.tool(probed.tools, *FOREVER, name="twice", **ready(command("true"), successThreshold=2))
    mover = pods.tool(
        probed.tools,
        "sh",
        "-c",
        f"sleep 2; touch /shared/ready; sleep 4; rm /shared/ready; {pods.IDLE}",
        name="mover",
    )
    share = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    containers = [{**switched, **share}, delayed, never, slow, twice, {**mover, **share}]
    probed.create(pods.pod("readiness", *containers, volumes=[{"name": "shared", "emptyDir": {}}]))
    order: list[str] = []

    def done(pod: Object) -> bool:
        for each in pod["status"].get("containerStatuses", []):
            state = f"{each['name']} {each['ready']}"
            if state not in order or (each["name"] == "switched" and order[-1] != state):
                order.append(state)
        return [state for state in order if state.startswith("switched")][-2:] == [
            "switched True",
            "switched False",
        ]

    pod = probed.until("readiness", done, what="has been ready in part", timeout=40)
    assert not pods.ready(pod)
    assert "never True" not in order
    assert "slow True" not in order
    assert order.index("delayed False") < order.index("delayed True")
    assert order.index("twice True") < order.index("delayed True")
    assert all(each["restartCount"] == 0 for each in pod["status"]["containerStatuses"])


def test_a_pod_is_ready_as_soon_as_it_has_started_up(probed: Space) -> None:
    """Readiness is asked at once then, whatever its period; before that it is not asked at all."""
    container = pods.tool(
        probed.tools,
        *("sh", "-c", f"sleep 3; touch /tmp/up; {pods.IDLE}"),
        **up(command("test -e /tmp/up"), failureThreshold=60),
        readinessProbe=probe(command("true"), periodSeconds=240),
    )
    probed.create(pods.pod("starting", container))
    running = lambda pod: "running" in pods.status_of(pod).get("state", {})  # noqa: E731
    status = pods.status_of(probed.until("starting", running, what="runs"))
    assert (status["started"], status["ready"]) == (False, False)
    status = pods.status_of(probed.ready("starting"))
    assert (status["started"], status["ready"], status["restartCount"]) == (True, True, 0)


def test_a_pod_that_ends_may_become_unready_and_is_not_restarted(probed: Space) -> None:
    container = pods.tool(
        probed.tools,
        *STUBBORN,
        readinessProbe=probe(command("test ! -e /tmp/ending")),
        livenessProbe=probe(command("test ! -e /tmp/ending")),
        lifecycle={"preStop": command("touch /tmp/ending")},
    )
    probed.create(pods.pod("ending", container, restartPolicy="Always", terminationGracePeriodSeconds=30))
    probed.ready("ending")
    probed.rest.delete(probed.path("pods", "ending"))
    pod = probed.until("ending", lambda pod: not pods.ready(pod), what="is unready", timeout=20)
    assert "deletionTimestamp" in pod["metadata"]
    status = pods.status_of(pod)
    assert "running" in status["state"], status
    assert status["restartCount"] == 0
    probed.remove_pod("ending")


def test_a_probe_may_be_served_by_another_address(probed: Space) -> None:
    """`host` in an action goes before the pod's own."""
    server = probed.ready(steady_pod("http"))["status"]["podIP"]
    container = pods.tool(probed.tools, *FOREVER, readinessProbe=probe(web("/healthz", host=server)))
    probed.create(pods.pod("elsewhere", container))
    probed.ready("elsewhere")


def _concerns(event: Object, path: str) -> bool:
    field: str = event["involvedObject"].get("fieldPath", "")
    return field.endswith(path)
