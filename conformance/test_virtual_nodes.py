"""Virtual nodes: pods without containers that live as pods do, and what annotations make of them."""

import os
import signal
from dataclasses import replace

import pytest
from kubernetes import client
from kubernetes.stream import stream

from conformance import kubectl as kubectls
from conformance import pods
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

SAY = "virtual.kubeling.dev/"


def annotated(space: Space, name: str, *, restart: str = "Always", **said: str) -> None:
    annotations = {SAY + key.replace("_", "-"): value for key, value in said.items()}
    pod = pods.pod(name, pods.container(space.image, "while true; do sleep 1; done"), restartPolicy=restart)
    pod["metadata"]["annotations"] = annotations
    space.create(pod)


def say(space: Space, name: str, **said: str | None) -> None:
    annotations = {SAY + key.replace("_", "-"): value for key, value in said.items()}
    space.rest.patch(space.path("pods", name), {"metadata": {"annotations": annotations}})


def main_state(pod: Object) -> Object:
    state: Object = pods.status_of(pod).get("state", {})
    return state


def waits(space: Space, name: str, reason: str) -> None:
    space.until(
        name,
        lambda pod: main_state(pod).get("waiting", {}).get("reason") == reason,
        what=f"waits for {reason}",
    )


def test_nodes_are_ready_and_say_what_they_are(virtual_kubectl: Kubectl) -> None:
    nodes = virtual_kubectl.json("get", "nodes", "-l", "kubeling.dev/virtual=true")["items"]
    names = [node["metadata"]["name"] for node in nodes]
    assert names[:6] == [f"virtual-{number}" for number in range(6)]
    for node in nodes[:6]:
        assert node["spec"]["providerID"] == f"kubeling-virtual://{node['metadata']['name']}"
        assert node["status"]["capacity"]["cpu"] == "32"
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == node["metadata"]["name"]


def test_the_command_shows_the_process_and_the_nodes(virtual: Cluster) -> None:
    if virtual.home is None:
        pytest.skip("only a cluster of our own")
    status = virtual.status()
    assert status["processes"]["virtual"]["pid"]
    assert "runtime" not in status["processes"]
    ours = [node for node in status["nodes"] if node["name"].startswith("virtual-")]
    assert len(ours) == 6
    assert all(node["virtual"] and not node["obstacle"] for node in ours)
    virtual.kubeling("logs", "virtual", "--lines", "5")


def test_a_pod_becomes_ready_with_an_address_of_its_node(virtual_space: Space) -> None:
    pod = virtual_space.run_ready("web")
    node = virtual_space.rest.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")
    prefix = node["spec"]["podCIDR"].rpartition(".")[0]
    assert pod["status"]["podIP"].startswith(prefix)
    assert pod["status"]["phase"] == "Running"
    assert "running" in main_state(pod)


def test_addresses_are_unique(virtual_space: Space) -> None:
    for number in range(12):
        virtual_space.run(f"web-{number}")
    found = {virtual_space.ready(f"web-{number}")["status"]["podIP"] for number in range(12)}
    assert len(found) == 12


def test_a_command_that_ends_ends_the_pod(virtual_space: Space) -> None:
    annotated(virtual_space, "other", restart="Never", exit_after="100ms", exit_code="7")
    assert virtual_space.run_through("job", "echo hello; true", restartPolicy="Never") == "hello\n"
    failed = virtual_space.phase("other", "Failed")
    assert main_state(failed)["terminated"]["exitCode"] == 7
    assert main_state(failed)["terminated"]["reason"] == "Error"


def test_a_container_that_crashes_is_started_again_and_backs_off(virtual_space: Space) -> None:
    virtual_space.run("crash", "exit 3", restartPolicy="Always")
    waits(virtual_space, "crash", "CrashLoopBackOff")
    status = virtual_space.pod("crash")["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 1
    assert status["lastState"]["terminated"]["exitCode"] == 3


def test_images_that_cannot_be_pulled(virtual_space: Space) -> None:
    annotated(virtual_space, "said", image_pull_error="denied: no")
    virtual_space.create(pods.pod("named", pods.container("webserver:404", "true")))
    waits(virtual_space, "said", "ImagePullBackOff")
    waits(virtual_space, "named", "ImagePullBackOff")
    assert "denied: no" in main_state(virtual_space.pod("said"))["waiting"]["message"]


def test_a_container_that_cannot_be_started(virtual_space: Space) -> None:
    annotated(virtual_space, "broken", restart="Never", start_error="exec: nothing")
    failed = virtual_space.phase("broken", "Failed")
    assert main_state(failed)["terminated"]["reason"] == "StartError"


def test_readiness_follows_an_annotation_at_once(virtual_space: Space) -> None:
    virtual_space.run_ready("web")
    say(virtual_space, "web", ready="false")
    virtual_space.until("web", lambda pod: not pods.ready(pod), what="is not ready")
    say(virtual_space, "web", ready=None)
    virtual_space.ready("web")


def test_a_running_container_crashes_when_it_is_told_to(virtual_space: Space) -> None:
    virtual_space.run_ready("web", restartPolicy="Always")
    say(virtual_space, "web", crash_times="1")
    restarted = virtual_space.until(
        "web",
        lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1,
        what="was started again",
    )
    assert restarted["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    virtual_space.ready("web")


def test_a_missing_config_map_holds_a_pod(virtual_space: Space) -> None:
    volume = {"name": "files", "configMap": {"name": "later"}}
    mount = {"name": "files", "mountPath": "/files"}
    virtual_space.run("holds", volumes=[volume], container={"volumeMounts": [mount]})
    virtual_space.event("holds", "FailedMount")
    assert main_state(virtual_space.pod("holds"))["waiting"]["reason"] == "ContainerCreating"
    virtual_space.config_map("later", key="value")
    virtual_space.ready("holds")


def test_init_containers_come_first(virtual_space: Space) -> None:
    virtual_space.run("slow", initContainers=[pods.container(virtual_space.image, "sleep 1", name="init")])
    virtual_space.until(
        "slow",
        lambda pod: main_state(pod).get("waiting", {}).get("reason") == "PodInitializing",
        what="initializes",
    )
    ready = virtual_space.ready("slow")
    assert ready["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_logs_and_exec_with_kubectl(
    virtual_space: Space, virtual_kubectl: Kubectl, kubectl_program: str
) -> None:
    """The oldest and the newest: they speak different protocols."""
    label = "-".join(map(str, kubectls.version(kubectl_program)))
    kubectl = replace(virtual_kubectl, program=kubectl_program, cache=virtual_kubectl.cache / label)
    annotated(virtual_space, "web", logs="one\ntwo\nthree", exec_output="answer\n")
    virtual_space.ready("web")
    assert kubectl("logs", "web", "--tail=2").lines == ["two", "three"]
    assert kubectl("exec", "web", "--", "ls", "-l").text == "answer\n"
    say(virtual_space, "web", exec_output=None)
    assert kubectl("exec", "web", "--", "sh", "-c", "echo hi").text == "hi\n"
    failed = kubectl.attempt("exec", "web", "--", "sh", "-c", "exit 4")
    assert failed.code == 4, str(failed)


def test_logs_follow_until_the_end(virtual_space: Space, virtual_kubectl: Kubectl) -> None:
    virtual_space.run("job", "echo begun; sleep 1", restartPolicy="Never")
    virtual_space.until("job", lambda pod: "running" in main_state(pod), what="runs")
    assert virtual_kubectl("logs", "--follow", "job").lines == ["begun"]


def test_exec_with_the_python_client(virtual_space: Space, virtual_core: client.CoreV1Api) -> None:
    virtual_space.run_ready("web")
    said = stream(
        virtual_core.connect_get_namespaced_pod_exec,
        "web",
        virtual_space.name,
        command=["echo", "hello"],
        stdout=True,
        stderr=True,
    )
    assert said == "hello\n"


def test_port_forward_says_why_not(virtual_space: Space, virtual_kubectl: Kubectl) -> None:
    virtual_space.run_ready("web")
    refused = virtual_space.rest.request(
        "GET", virtual_space.path("pods", "web") + "/portforward", ports="80"
    )
    assert refused.code >= 400
    assert virtual_kubectl("get", "pod", "web").code == 0


def test_deletion_is_graceful(virtual_space: Space) -> None:
    annotated(virtual_space, "slow", stop_latency="1s")
    virtual_space.ready("slow")
    path = virtual_space.path("pods", "slow")
    virtual_space.rest.delete(path, gracePeriodSeconds=20)
    terminating = virtual_space.pod("slow")
    assert terminating["metadata"]["deletionGracePeriodSeconds"] == 20
    virtual_space.rest.gone(path)


def test_a_pod_ends_at_its_deadline(virtual_space: Space) -> None:
    virtual_space.run("late", activeDeadlineSeconds=1)
    assert virtual_space.phase("late", "Failed")["status"]["reason"] == "DeadlineExceeded"


def test_a_node_with_the_label_is_virtual(virtual_rest: Rest, virtual_space: Space) -> None:
    name = f"made-{virtual_space.name}"
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubeling.dev/virtual": "true", "kubernetes.io/hostname": name},
        },
        "status": {"capacity": {"cpu": "2", "memory": "4Gi", "pods": "3"}},
    }
    virtual_rest.post("/api/v1/nodes", node)
    try:
        virtual_space.run("web", nodeSelector={"kubernetes.io/hostname": name})
        assert virtual_space.ready("web")["spec"]["nodeName"] == name
        made = virtual_rest.get(f"/api/v1/nodes/{name}")
        offered = made["status"]["allocatable"]
        assert [offered[each] for each in ("cpu", "memory", "pods")] == ["2", "4Gi", "3"]
    finally:
        virtual_space.remove_pod("web")
        virtual_rest.delete(f"/api/v1/nodes/{name}")


def test_a_lost_node_falls_silent_and_comes_back(virtual_rest: Rest, virtual_space: Space) -> None:
    name = f"lost-{virtual_space.name}"
    labels = {"kubeling.dev/virtual": "true"}
    unschedulable: Object = {"unschedulable": True}
    virtual_rest.post(
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": {SAY + "lost": "true"}},
            "spec": unschedulable,
        },
    )
    path = f"/api/v1/nodes/{name}"
    try:
        assert "conditions" not in virtual_rest.get(path)["status"]
        virtual_rest.patch(path, {"metadata": {"annotations": {SAY + "lost": None}}})

        def ready() -> bool:
            conditions = virtual_rest.get(path)["status"].get("conditions") or []
            return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

        eventually(ready, what=f"{name} is ready")
    finally:
        virtual_rest.delete(path)


def test_the_process_may_die_and_the_pods_run_on(virtual: Cluster, virtual_space: Space) -> None:
    if virtual.home is None:
        pytest.skip("only a cluster of our own")
    before = virtual_space.run_ready("web")
    pid = virtual.pid("virtual")
    assert pid
    os.kill(pid, signal.SIGKILL)
    virtual_space.run_ready("next")
    after = virtual_space.pod("web")
    assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert virtual.pid("virtual") != pid
