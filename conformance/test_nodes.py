"""Nodes as objects of the API, and what the control plane does for one that is not ready or gone."""

from collections.abc import Iterator

import pytest

from conformance import pods
from conformance.rest import STRATEGIC, Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

NODES = "/api/v1/nodes"


@pytest.fixture
def name(virtual_space: Space) -> Iterator[str]:
    """Of a node that a test may make; it is removed at the end."""
    name = f"fake-{virtual_space.name}"
    yield name
    virtual_space.rest.request("DELETE", f"{NODES}/{name}")


def fake(name: str, ready: str = "True") -> Object:
    memory = {"cpu": "4", "memory": "7Gi", "pods": "110"}
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": ready}],
        "capacity": memory,
        "allocatable": memory,
    }
    labels = {"e2e-fake-node": "true", "own": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": status,
    }


def test_the_lifecycle_of_a_node(virtual_rest: Rest, name: str) -> None:
    made = virtual_rest.post(NODES, fake(name))
    path = f"{NODES}/{name}"
    assert virtual_rest.get(path)["metadata"]["uid"] == made["metadata"]["uid"]
    patch = {"metadata": {"labels": {name: "patched"}}}
    patched = virtual_rest.patch(path, patch, content_type=STRATEGIC)
    assert patched["metadata"]["labels"][name] == "patched"

    def updated() -> bool:
        found = virtual_rest.get(path)
        found["metadata"]["labels"][name] = "updated"
        return virtual_rest.request("PUT", path, found).code == 200

    eventually(updated, what="the node is updated")
    assert len(virtual_rest.get(NODES, labelSelector=f"{name}=updated")["items"]) == 1
    virtual_rest.delete(NODES, labelSelector=f"own={name}")
    virtual_rest.gone(path)


def test_the_status_of_a_node(virtual_rest: Rest, name: str) -> None:
    virtual_rest.post(NODES, fake(name))
    path = f"{NODES}/{name}/status"
    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Set by a test"}
    virtual_rest.patch(path, {"status": {"conditions": [condition]}}, content_type=STRATEGIC)
    found = {each["type"]: each for each in virtual_rest.get(path)["status"]["conditions"]}
    assert found["StatusPatch"]["message"] == "Set by a test"
    assert "Ready" in found


def test_a_node_that_is_not_ready_is_tainted_and_one_that_is_is_not(virtual_rest: Rest, name: str) -> None:
    virtual_rest.post(NODES, fake(name, ready="False"))
    path = f"{NODES}/{name}"

    def taints() -> set[tuple[str, str]]:
        found = virtual_rest.get(path)["spec"].get("taints") or ()
        return {(each["key"], each["effect"]) for each in found}

    key = "node.kubernetes.io/not-ready"
    eventually(lambda: taints() == {(key, "NoSchedule"), (key, "NoExecute")}, what="the node is tainted")
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    virtual_rest.patch(f"{path}/status", ready, content_type=STRATEGIC)
    eventually(lambda: not taints(), what="the taints are gone")


def test_each_node_has_a_network_of_its_own(virtual_rest: Rest) -> None:
    def networks() -> list[str] | None:
        found = [node["spec"].get("podCIDR") for node in virtual_rest.get(NODES)["items"]]
        return found if all(found) else None

    found = eventually(networks, what="all nodes have a network")
    assert len(set(found)) == len(found)


def test_the_pods_of_a_node_that_is_gone_go_too(virtual_space: Space, name: str) -> None:
    virtual_space.rest.post(NODES, fake(name))
    virtual_space.run("p", nodeName=name, terminationGracePeriodSeconds=600)
    virtual_space.rest.delete(virtual_space.path("pods", "p"))
    assert virtual_space.pod("p")["metadata"]["deletionTimestamp"]
    out = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute", "value": "nodeshutdown"}
    unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    virtual_space.rest.patch(f"{NODES}/{name}/status", unready, content_type=STRATEGIC)

    def gone() -> bool:
        path = virtual_space.path("pods", "p")
        node = virtual_space.rest.get(f"{NODES}/{name}")
        taints = [each for each in node["spec"].get("taints") or () if each["key"] != out["key"]]
        node["spec"]["taints"] = [*taints, out]
        virtual_space.rest.request("PUT", f"{NODES}/{name}", node)
        return virtual_space.rest.request("GET", path).code == 404

    eventually(gone, what="the pod is gone")


def test_a_node_that_falls_silent_is_emptied_and_comes_back(virtual_space: Space) -> None:
    """The slowest of tests: nobody knows of a silence before it has lasted 50 seconds."""
    rest = virtual_space.rest
    node = rest.get(NODES, labelSelector="kubeling.dev/virtual=true")["items"][-1]["metadata"]["name"]
    path = f"{NODES}/{node}"
    impatient = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "operator": "Exists"}
    virtual_space.run_ready("stays", nodeName=node)
    virtual_space.run_ready("goes", nodeName=node, tolerations=[{**impatient, "tolerationSeconds": 0}])
    rest.patch(path, {"metadata": {"annotations": {"virtual.kubeling.dev/lost": "true"}}})
    try:
        virtual_space.event("stays", "NodeNotReady", timeout=80)
        ready = next(each for each in rest.get(path)["status"]["conditions"] if each["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert ready["message"] == "Kubelet stopped posting node status."
        virtual_space.event("goes", "TaintManagerEviction")
        virtual_space.until("goes", lambda pod: pod["metadata"].get("deletionTimestamp"), what="is to go")
        virtual_space.until("stays", lambda pod: not pods.ready(pod), what="is not ready")
    finally:
        rest.patch(path, {"metadata": {"annotations": {"virtual.kubeling.dev/lost": None}}})
    eventually(lambda: not rest.get(path)["spec"].get("taints"), what="the node is back")
    rest.gone(virtual_space.path("pods", "goes"))
    virtual_space.ready("stays")
