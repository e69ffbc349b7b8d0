"""containerd and its shims die or hang: pods run on where they can, come back, and leave nothing."""

import os
import signal
from functools import partial

import pytest

from conformance import pods, processes
from conformance.cluster import Cluster
from conformance.leaks import Node, mentioned, nothing_left
from conformance.processes import stopped
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

NAMES = [f"pod-{number}" for number in range(6)]
PATIENCE = 60


def test_containerd_dies_in_the_middle_of_starts_and_stops(fragile: Cluster, room: Space) -> None:
    witness = room.pod("witness")
    with nothing_left(fragile, timeout=30) as known:
        known += [room.run(name, restartPolicy="Always") for name in NAMES]
        eventually(partial(_any_shim_more, Node.of(fragile), 1), what="sandboxes are being made", every=0.01)
        processes.send(fragile, "containerd", signal.SIGKILL)
        for name in NAMES:
            assert pods.status_of(room.ready(name, timeout=PATIENCE))["restartCount"] == 0
        for name in NAMES:
            room.rest.delete(room.path("pods", name), gracePeriodSeconds=1)
        processes.send(fragile, "containerd", signal.SIGKILL)
        for name in NAMES:
            room.rest.gone(room.path("pods", name), timeout=PATIENCE)
    _same_container(witness, room.pod("witness"))


@pytest.mark.timeout(180)
def test_a_containerd_that_hangs_makes_the_node_unready_and_loses_nothing(
    fragile: Cluster, room: Space
) -> None:
    witness = room.pod("witness")
    with nothing_left(fragile, timeout=30) as known:
        known.append(room.run_ready("ending", restartPolicy="Always"))
        with stopped(fragile, "containerd"):
            known.append(room.run("begun", restartPolicy="Always"))
            room.rest.delete(room.path("pods", "ending"), gracePeriodSeconds=1)
            unready = eventually(partial(_unready, room.rest), what="the node is not ready", timeout=90)
            assert unready["reason"] == "KubeletNotReady"
            assert "container runtime is down" in unready["message"]
        eventually(lambda: not _unready(room.rest), what="the node is ready again")
        room.ready("begun", timeout=PATIENCE)
        room.rest.gone(room.path("pods", "ending"), timeout=PATIENCE)
        _same_container(witness, room.until("witness", pods.ready, what="is ready"))
        room.remove_pod("begun")


def test_a_pod_whose_shim_died_is_made_anew(fragile: Cluster, room: Space) -> None:
    with nothing_left(fragile, timeout=30) as known:
        before = room.run_ready("bereft", restartPolicy="Always")
        known.append(before)
        uid = before["metadata"]["uid"]
        (shim,) = Node.of(fragile).shims_of(uid)
        os.kill(shim, signal.SIGKILL)

        def again(pod: Object) -> bool:
            return pods.ready(pod) and pods.status_of(pod)["restartCount"] == 1

        after = room.until("bereft", again, what="runs again", timeout=PATIENCE)
        old, ended = pods.status_of(before), pods.status_of(after)["lastState"]["terminated"]
        assert ended["containerID"] == old["containerID"]
        assert ended["exitCode"] in (137, 255), "killed, or ended nobody knows how"
        identity = old["containerID"].removeprefix("containerd://")
        eventually(lambda: not mentioned(identity), what="no process of the old container is left")
        room.event("bereft", "SandboxChanged")
        room.remove_pod("bereft")


def _unready(rest: Rest) -> Object:
    """The node's Ready condition, {} if it is true."""
    (node,) = rest.get("/api/v1/nodes")["items"]
    found = {each["type"]: each for each in node["status"]["conditions"]}["Ready"]
    return {} if found["status"] == "True" else found


def _any_shim_more(node: Node, than: int) -> bool:
    return len(list(node.shims())) > than


def _same_container(before: Object, after: Object) -> None:
    old, new = pods.status_of(before), pods.status_of(after)
    assert (new["containerID"], new["restartCount"]) == (old["containerID"], 0)
