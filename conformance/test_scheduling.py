"""Where pods go, and what is said of those that cannot go anywhere."""

import re

from conformance import pods
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

NODES = r"0/(\d+) nodes are available: "
NO_NODES = "no nodes available to schedule pods"


def test_a_selector_that_no_node_meets(space: Space) -> None:
    space.run("picky", nodeSelector={"no.such/label": "x"})
    event = space.event("picky", "FailedScheduling")
    assert event["type"] == "Warning"
    assert re.match(NODES, event["message"]) or event["message"] == NO_NODES, event["message"]
    scheduled = pods.condition(_unscheduled(space, "picky"), "PodScheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
    assert scheduled["message"] == event["message"]


def test_the_message_for_a_selector(space: Space, containers: None) -> None:
    space.run("picky", nodeSelector={"no.such/label": "x"})
    message = space.event("picky", "FailedScheduling")["message"]
    assert re.search(r"\d+ node\(s\) didn't match Pod's node affinity/selector", message), message
    assert "preemption: 0/" in message, message
    assert "Preemption is not helpful for scheduling" in message, message


def test_more_cpu_than_there_is(space: Space, containers: None) -> None:
    space.run("greedy", container={"resources": {"requests": {"cpu": "10000"}}})
    message = space.event("greedy", "FailedScheduling")["message"]
    assert re.match(NODES + r"\1 Insufficient cpu\.", message), message


def test_more_memory_than_there_is(space: Space, containers: None) -> None:
    space.run("greedy", container={"resources": {"requests": {"memory": "100Ti"}}})
    message = space.event("greedy", "FailedScheduling")["message"]
    assert re.match(NODES + r"\1 Insufficient memory\.", message), message


def test_requests_of_all_pods_count(space: Space, containers: None) -> None:
    node = space.rest.get("/api/v1/nodes")["items"][0]
    most = int(_milli(node["status"]["allocatable"]["cpu"]) * 0.6)
    requests = {"resources": {"requests": {"cpu": f"{most}m"}}}
    label = "kubernetes.io/hostname"
    here = {label: node["metadata"]["labels"][label]}
    space.run_ready("first", container=requests, nodeSelector=here)
    space.run("second", container=requests, nodeSelector=here)
    assert "Insufficient cpu" in space.event("second", "FailedScheduling")["message"]
    space.remove_pod("first")
    space.ready("second")


def test_a_scheduled_pod_says_so(space: Space, containers: None) -> None:
    node = space.run_ready("easy")["spec"]["nodeName"]
    event = space.event("easy", "Scheduled")
    assert event["message"] == f"Successfully assigned {space.name}/easy to {node}"
    assert event["type"] == "Normal"
    assert (event.get("source", {}).get("component") or event["reportingComponent"]) == "default-scheduler"


def test_a_pod_goes_to_its_node_once_it_has_the_label(space: Space, containers: None) -> None:
    label = f"conformance/{space.name}"
    space.run("patient", nodeSelector={label: "yes"})
    _unscheduled(space, "patient")
    path = "/api/v1/nodes/" + _node(space.rest)
    space.rest.patch(path, {"metadata": {"labels": {label: "yes"}}})
    try:
        space.ready("patient")
    finally:
        space.rest.patch(path, {"metadata": {"labels": {label: None}}})


def test_a_taint_keeps_pods_away_that_do_not_tolerate_it(space: Space, containers: None) -> None:
    taint = {"key": f"conformance/{space.name}", "value": "x", "effect": "NoSchedule"}
    path = "/api/v1/nodes/" + _node(space.rest)
    here = _hostname(space.rest)
    space.rest.patch(path, {"spec": {"taints": [taint]}})
    try:
        space.run("shy", nodeSelector=here)
        message = space.event("shy", "FailedScheduling")["message"]
        assert "untolerated taint(s)" in message or "had untolerated taint {" in message, message
        toleration = {"key": taint["key"], "operator": "Exists", "effect": "NoSchedule"}
        space.run_ready("bold", tolerations=[toleration], nodeSelector=here)
        assert pods.condition(space.pod("shy"), "PodScheduled")["status"] == "False"
    finally:
        space.rest.patch(path, {"spec": {"taints": None}})
    space.ready("shy")


def test_a_cordoned_node_takes_no_pods(space: Space, containers: None) -> None:
    path, here = "/api/v1/nodes/" + _node(space.rest), _hostname(space.rest)
    space.rest.patch(path, {"spec": {"unschedulable": True}})
    try:
        space.run("late", nodeSelector=here)
        assert "unschedulable" in space.event("late", "FailedScheduling")["message"]
    finally:
        space.rest.patch(path, {"spec": {"unschedulable": None, "taints": None}})
    space.ready("late")


def test_a_pod_with_another_scheduler_is_left_alone(space: Space, containers: None) -> None:
    space.run("other", schedulerName="somebody-else")
    space.run_ready("ours")
    assert "nodeName" not in space.pod("other")["spec"]
    assert pods.condition(space.pod("other"), "PodScheduled") == {}


def test_a_pod_bound_by_hand_runs(space: Space, containers: None) -> None:
    space.run("bound", schedulerName="somebody-else")
    target = {"apiVersion": "v1", "kind": "Node", "name": _node(space.rest)}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "bound"}, "target": target}
    answer = space.rest.post(space.path("pods", "bound") + "/binding", body)
    assert answer["status"] == "Success"
    space.ready("bound")


def test_a_scheduling_gate_holds_a_pod(space: Space, containers: None) -> None:
    space.run("gated", schedulingGates=[{"name": "conformance/gate"}])

    def gated(pod: Object) -> bool:
        return pods.condition(pod, "PodScheduled").get("reason") == "SchedulingGated"

    space.until("gated", gated, what="is gated")
    space.rest.patch(space.path("pods", "gated"), {"spec": {"schedulingGates": None}})
    space.ready("gated")


def test_a_more_important_pod_takes_the_place_of_a_lesser_one(space: Space, containers: None) -> None:
    """By a resource that the node has because somebody said so in its status."""
    path, resource = "/api/v1/nodes/" + _node(space.rest), "example.com/conformance"
    space.rest.patch(path + "/status", {"status": {"capacity": {resource: "1"}}})
    resources = {"resources": {"requests": {resource: "1"}, "limits": {resource: "1"}}}
    name = f"important-{space.name}"
    important = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1000,
    }
    space.rest.post("/apis/scheduling.k8s.io/v1/priorityclasses", important)
    try:
        space.run_ready("lesser", container=resources)
        space.run_ready("important", container=resources, priorityClassName=name)
        assert "Preempted by pod " in space.event("lesser", "Preempted")["message"]
        assert space.rest.request("GET", space.path("pods", "lesser")).code == 404
    finally:
        space.rest.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")
        space.rest.patch(path + "/status", {"status": {"capacity": {resource: None}}})


def _unscheduled(space: Space, name: str) -> Object:
    refused = lambda pod: pods.condition(pod, "PodScheduled").get("status") == "False"  # noqa: E731
    return space.until(name, refused, what="is known to be unschedulable")


def _node(rest: Rest) -> str:
    """A node that takes pods."""

    def probe() -> str:
        nodes = [node for node in rest.get("/api/v1/nodes")["items"] if pods.ready(node)]
        free = [node for node in nodes if not node["spec"].get("taints")]
        return free[0]["metadata"]["name"] if free else ""

    return eventually(probe, what="a node is Ready and without taints")


def _hostname(rest: Rest) -> dict[str, str]:
    labels = rest.get("/api/v1/nodes/" + _node(rest))["metadata"]["labels"]
    return {"kubernetes.io/hostname": labels["kubernetes.io/hostname"]}


def _milli(cpu: str) -> int:
    return int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000
