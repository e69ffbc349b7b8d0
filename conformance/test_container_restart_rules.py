"""Restart policies and rules of single containers, and the new start of all containers."""

from typing import Any

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")

DATA: Object = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
VOLUMES = [{"name": "data", "emptyDir": {}}]


def once(code: int) -> str:
    """Ends with this code the first time, runs on the second."""
    return f"[ -e /data/was ] || {{ touch /data/was; exit {code}; }}; {pods.IDLE}"


def rule(operator: str, *values: int, action: str = "Restart") -> Object:
    return {"action": action, "exitCodes": {"operator": operator, "values": list(values)}}


def create(space: Space, name: str, script: str, *, policy: str = "Never", **container: Any) -> None:
    main = pods.container(space.image, script, **DATA, **container)
    space.create(pods.pod(name, main, volumes=VOLUMES, restartPolicy=policy))


def test_a_container_may_restart_in_a_pod_that_does_not(space: Space) -> None:
    create(space, "own", once(1), restartPolicy="OnFailure")
    create(space, "ruled", once(42), restartPolicy="Never", restartPolicyRules=[rule("In", 42)])
    for name in ("own", "ruled"):
        restarted = lambda pod: pods.status_of(pod).get("restartCount") == 1 and pods.ready(pod)  # noqa: E731
        pod = space.until(name, restarted, what="restarted")
        assert pod["status"]["phase"] == "Running"
        assert pods.status_of(pod)["lastState"]["terminated"]["exitCode"] in (1, 42)


def test_an_end_that_no_rule_names_is_the_end(space: Space) -> None:
    create(space, "failed", "exit 3", restartPolicy="Never", restartPolicyRules=[rule("In", 42)])
    create(space, "excluded", "exit 42", restartPolicy="Never", restartPolicyRules=[rule("NotIn", 42)])
    create(space, "stays", "exit 1", policy="Always", restartPolicy="Never")
    for name, code in (("failed", 3), ("excluded", 42), ("stays", 1)):
        pod = space.phase(name, "Failed")
        assert (pods.exit_code(pod), pods.status_of(pod)["restartCount"]) == (code, 0)


def test_an_init_container_may_be_tried_again_in_a_pod_that_does_not_restart(space: Space) -> None:
    script = "[ -e /data/was ] || { touch /data/was; exit 42; }"
    rules: Object = {"restartPolicy": "Never", "restartPolicyRules": [rule("In", 42)]}
    init = pods.container(space.image, script, name="init", **DATA, **rules)
    space.create(pods.pod("inits", pods.container(space.image), initContainers=[init], volumes=VOLUMES))
    pod = space.ready("inits")
    assert pods.status_of(pod, "init", init=True)["restartCount"] == 1


def test_a_rule_starts_all_containers_anew(space: Space) -> None:
    rules: Object = {
        "restartPolicy": "Never",
        "restartPolicyRules": [rule("In", 42, action="RestartAllContainers")],
    }
    init = pods.container(space.image, "echo x >> /data/inits", name="init", **DATA)
    hook = {"preStop": {"exec": {"command": ["touch", "/data/hooked"]}}}
    other = pods.container(space.image, pods.IDLE, name="other", lifecycle=hook, **DATA)
    side = pods.container(space.image, pods.IDLE, name="side", restartPolicy="Always", **DATA)
    main = pods.container(space.image, f"sleep 0.5; {once(42)}", **DATA, **rules)
    space.create(pods.pod("anew", main, other, initContainers=[init, side], volumes=VOLUMES))
    before = space.until("anew", lambda pod: pod["status"].get("podIP"), what="has an address")
    anew = lambda pod: pods.status_of(pod, "other").get("restartCount") == 1 and pods.ready(pod)  # noqa: E731
    pod = space.until("anew", anew, what="started anew")
    counts = [pods.status_of(pod, each)["restartCount"] for each in ("main", "other")]
    counts += [pods.status_of(pod, each, init=True)["restartCount"] for each in ("init", "side")]
    assert counts == [1, 1, 1, 1]
    assert pods.status_of(pod, "other")["lastState"]["terminated"]["reason"] == "RestartingAllContainers"
    assert pods.condition(pod, "AllContainersRestarting")["status"] == "False"
    assert pods.condition(pod, "Initialized")["status"] == "True"
    assert pod["status"]["podIP"] == before["status"]["podIP"]


def test_a_rule_of_a_sidecar_starts_those_anew_that_may_not_restart(space: Space) -> None:
    rules = [rule("In", 42, action="RestartAllContainers")]
    side = pods.container(space.image, f"sleep 1; {once(42)}", name="side", restartPolicy="Always", **DATA)
    init, main = pods.container(space.image, "exit 0", name="init"), pods.container(space.image)
    inits = [init, {**side, "restartPolicyRules": rules}]
    space.create(pods.pod("anew", main, initContainers=inits, volumes=VOLUMES))
    anew = lambda pod: pods.status_of(pod).get("restartCount") == 1 and pods.ready(pod)  # noqa: E731
    pod = space.until("anew", anew, what="started anew")
    assert [pods.status_of(pod, each, init=True)["restartCount"] for each in ("init", "side")] == [1, 1]
