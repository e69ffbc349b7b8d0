"""A node whose disk fills: unused images go first, then the pod that takes most; no new pod is taken."""

import re
from collections.abc import Iterator

import pytest

from conformance import cluster as clusters
from conformance import pods, rest, small_disk
from conformance import space as spaces
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.space import Object, Space
from conformance.waiting import eventually

KUBELET = """
evictionHard: {nodefs.available: 100Mi}
evictionPressureTransitionPeriod: 20s
imageMinimumGCAge: 0s
"""
MESSAGE = (
    r"The node was low on resource: ephemeral-storage\. Threshold quantity: 100Mi, available: \d+(Ki|Mi|)\. "
    r"(Container main was using \d+(Ki|Mi|), request is 0, "
    r"has larger consumption of ephemeral-storage\. )?"
)
TAINT = "node.kubernetes.io/disk-pressure"
FILL = "dd if=/dev/zero of=/data/x bs=1M count=%d 2>/dev/null; touch /tmp/full; " + pods.IDLE
DATA = {"name": "data", "emptyDir": {}}
MOUNT = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    why = clusters.lacking() or small_disk.lacking()
    if why:
        absent(why)
    directory = tmp_path_factory.mktemp("small-disk")
    with (
        small_disk.mounted(directory / "disk", directory / "home", mebibytes=320),
        clusters.started(directory, kubelet=KUBELET) as cluster,
    ):
        yield cluster


@pytest.fixture(scope="module")
def space(small: Cluster) -> Iterator[Space]:
    """With a pod that takes little, and one that fills the disk."""
    with spaces.opened(rest.connect(small.kubeconfig), small.image) as space:
        space.run_ready("little", FILL % 1, container=MOUNT, volumes=[DATA])
        space.run("much", FILL % 200, container=MOUNT, volumes=[DATA])
        yield space


def node(space: Space) -> Object:
    found: Object = space.rest.get("/api/v1/nodes")["items"][0]
    return found


def pressure(space: Space) -> str:
    return str(pods.condition(node(space), "DiskPressure")["status"])


def taints(space: Space) -> list[str]:
    return [each["key"] for each in node(space)["spec"].get("taints") or []]


def test_while_the_disk_is_short_no_pod_is_taken(space: Space) -> None:
    eventually(lambda: pressure(space) == "True", what="the node is under disk pressure", timeout=60)
    eventually(lambda: TAINT in taints(space), what="the node is tainted")
    space.run("refused", nodeName=node(space)["metadata"]["name"])
    status = space.phase("refused", "Failed")["status"]
    assert status["reason"] == "Evicted"
    assert status["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "
    eventually(lambda: pressure(space) == "False", what="the pressure is over", timeout=60)
    eventually(lambda: TAINT not in taints(space), what="the taint is gone")
    space.run_ready("taken")


def test_the_pod_that_takes_most_is_evicted(space: Space) -> None:
    pod = space.phase("much", "Failed", timeout=60)
    status = pod["status"]
    assert status["reason"] == "Evicted"
    assert re.fullmatch(MESSAGE, status["message"]), status["message"]
    condition = pods.condition(pod, "DisruptionTarget")
    assert (condition["status"], condition["reason"]) == ("True", "TerminationByKubelet")
    assert space.pod("little")["status"]["phase"] == "Running"


def test_an_event_says_why(space: Space) -> None:
    event = space.event("much", "Evicted")
    assert event["message"] == space.phase("much", "Failed")["status"]["message"]
    assert event["metadata"]["annotations"]["starved_resource"] == "ephemeral-storage"


def test_images_that_nobody_uses_went_first_and_those_in_use_stayed(small: Cluster, space: Space) -> None:
    space.phase("much", "Failed", timeout=60)
    images = small.kubeling("image", "list")
    assert small.image in images
    assert "kubeling.test/tools" not in images


def test_the_node_s_events_tell_of_it(space: Space) -> None:
    name = node(space)["metadata"]["name"]

    def reasons() -> set[str]:
        found = space.rest.get("/api/v1/namespaces/default/events")["items"]
        return {each["reason"] for each in found if each["involvedObject"]["name"] == name}

    wanted = {"EvictionThresholdMet", "NodeHasDiskPressure", "NodeHasNoDiskPressure"}
    eventually(lambda: wanted <= reasons(), what="the node's events")
