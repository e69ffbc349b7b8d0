"""A node that says it is short of memory: which pods it takes then, and what the control plane makes of it.

The threshold is more than any machine has, and soft, with a grace period that does not end here: nothing is
evicted. What an eviction does to its pod is `test_disk_pressure`'s.
"""

from collections.abc import Iterator

import pytest

from conformance import cluster as clusters
from conformance import pods, rest
from conformance import space as spaces
from conformance.absence import absent
from conformance.space import Object, Space
from conformance.waiting import eventually

KUBELET = """
evictionSoft: {memory.available: 1000Ti}
evictionSoftGracePeriod: {memory.available: 1h}
"""
TAINT = "node.kubernetes.io/memory-pressure"
TOLERANT = [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}]
SOME = {"resources": {"requests": {"memory": "1Mi"}}}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    if clusters.lacking():
        absent(clusters.lacking())
    directory = tmp_path_factory.mktemp("memory-pressure")
    with (
        clusters.started(directory, kubelet=KUBELET) as cluster,
        spaces.opened(rest.connect(cluster.kubeconfig), cluster.image) as space,
    ):
        eventually(
            lambda: pods.condition(node(space), "MemoryPressure").get("status") == "True", what="pressure"
        )
        yield space


def node(space: Space) -> Object:
    found: Object = space.rest.get("/api/v1/nodes")["items"][0]
    return found


def test_the_condition_has_upstream_s_words(short: Space) -> None:
    condition = pods.condition(node(short), "MemoryPressure")
    assert condition["reason"] == "KubeletHasInsufficientMemory"
    assert condition["message"] == "kubelet has insufficient memory available"
    assert pods.condition(node(short), "DiskPressure")["status"] == "False"


def taints(space: Space) -> list[str]:
    return [each["key"] for each in node(space)["spec"].get("taints") or []]


def test_the_node_is_tainted(short: Space) -> None:
    eventually(lambda: TAINT in taints(short), what="the node is tainted")


def test_a_pod_that_asks_for_no_memory_is_refused(short: Space) -> None:
    short.run("refused", nodeName=node(short)["metadata"]["name"])
    status = short.phase("refused", "Failed")["status"]
    assert (status["reason"], status["message"]) == (
        "Evicted",
        "Pod was rejected: The node had condition: [MemoryPressure]. ",
    )


def test_those_that_ask_for_memory_or_tolerate_the_shortage_run(short: Space) -> None:
    """The scheduler goes by the taint alone."""
    short.run("asking", container=SOME, nodeName=node(short)["metadata"]["name"])
    short.run("tolerant", tolerations=TOLERANT)
    for name in ("asking", "tolerant"):
        short.ready(name)
