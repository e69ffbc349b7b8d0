"""A node that reserves something for itself, takes few pods and lets them have few processes."""

import os
import signal
from collections.abc import Iterator

import pytest

from conformance import cluster as clusters
from conformance import pods
from conformance import rest as rests
from conformance import space as spaces
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

KUBELET = """
podPidsLimit: 32
maxPods: 4
kubeReserved: {cpu: 150m, memory: 100Mi}
systemReserved: {memory: 50Mi}
"""
FORKS = "i=0; while [ $i -lt 64 ]; do sleep 60 & i=$((i+1)); done; echo started"
MIB = 1024


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if clusters.lacking():
        absent(clusters.lacking())
    with clusters.started(tmp_path_factory.mktemp("limited"), kubelet=KUBELET) as cluster:
        yield cluster


@pytest.fixture
def within(limited: Cluster) -> Iterator[Space]:
    """A namespace on such a node, which is empty again afterwards."""
    with spaces.opened(rests.connect(limited.kubeconfig), limited.image) as space:
        yield space
        for pod in space.rest.get(space.path("pods"))["items"]:
            space.remove_pod(pod["metadata"]["name"])


def node_of(space: Space) -> Object:
    nodes: list[Object] = space.rest.get("/api/v1/nodes")["items"]
    return nodes[0]


def test_what_is_reserved_is_not_for_pods(within: Space) -> None:
    capacity, allocatable = (node_of(within)["status"][each] for each in ("capacity", "allocatable"))
    assert allocatable["cpu"] == f"{int(capacity['cpu']) * 1000 - 150}m"
    assert _kibibytes(capacity["memory"]) - _kibibytes(allocatable["memory"]) == 250 * MIB
    assert capacity["pods"] == allocatable["pods"] == "4"


def _kibibytes(text: str) -> int:
    return int(text[:-2]) * {"Ki": 1, "Mi": MIB, "Gi": MIB * MIB}[text[-2:]]


def test_a_pod_may_have_so_many_processes_and_no_more(within: Space) -> None:
    within.run("forks", FORKS)
    within.phase("forks", "Failed")
    assert "can't fork" in within.log("forks")


def test_one_pod_too_many_is_rejected(within: Space) -> None:
    node = node_of(within)["metadata"]["name"]
    for number in range(4):
        within.run(f"pod-{number}", nodeName=node)
    for number in range(4):
        within.ready(f"pod-{number}")
    within.run("late", nodeName=node)
    assert within.phase("late", "Failed")["status"]["reason"] == "OutOfpods"


def test_pods_outlive_the_agent_whatever_was_changed_meanwhile(limited: Cluster, within: Space) -> None:
    """Labels that it selected have gone, a resize came: it runs on, and is resized."""
    path = f"/api/v1/nodes/{node_of(within)['metadata']['name']}"
    within.rest.patch(path, {"metadata": {"labels": {"kubeling.test/keep": "yes"}}})
    amounts = {"cpu": "20m", "memory": "20Mi"}
    resources = {"requests": amounts, "limits": amounts}
    container = pods.container(within.image, resources=resources)
    within.create(pods.pod("kept", container, nodeSelector={"kubeling.test/keep": "yes"}))
    before = pods.status_of(within.ready("kept"))
    pid = limited.pid("runtime")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    within.rest.patch(path, {"metadata": {"labels": {"kubeling.test/keep": None}}})
    more = {"cpu": "30m", "memory": "30Mi"}
    patch = {"spec": {"containers": [{"name": "main", "resources": {"requests": more, "limits": more}}]}}
    within.rest.patch(
        within.path("pods", "kept") + "/resize", patch, content_type="application/strategic-merge-patch+json"
    )
    eventually(lambda: limited.pid("runtime") not in (None, pid), what="the agent runs again")
    resized = lambda pod: pods.status_of(pod)["resources"]["limits"] == more  # noqa: E731
    after = pods.status_of(within.until("kept", resized, what="was resized"))
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
