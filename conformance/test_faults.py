"""Processes that die, clusters that stop and start: pods go on, or come back; nothing is lost."""

import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from conformance import cluster as clusters
from conformance import pods, processes
from conformance import space as spaces
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually


@pytest.fixture(scope="module")
def fragile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster to break, beside the one that the other tests use."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("only clusters that the suite itself has started are broken")
    if clusters.lacking():
        absent(clusters.lacking())
    with clusters.started(tmp_path_factory.mktemp("fragile")) as cluster:
        yield cluster


@pytest.fixture
def room(fragile: Cluster) -> Iterator[Space]:
    """A namespace with a running pod `witness`, which has spoken and goes on."""
    with spaces.opened(processes.answering(fragile), fragile.image) as space:
        space.run_ready("witness", "echo here; " + pods.IDLE, restartPolicy="Always")
        yield space


def test_a_killed_server_comes_back_and_pods_do_not_notice(fragile: Cluster, room: Space) -> None:
    before = room.pod("witness")
    processes.kill(fragile, "server")
    processes.answering(fragile)
    _unchanged(before, room.pod("witness"))
    room.run_ready("afterwards")
    assert room.log("witness") == "here\n"


def test_a_killed_agent_comes_back_and_pods_do_not_notice(fragile: Cluster, room: Space) -> None:
    before = room.pod("witness")
    processes.kill(fragile, "runtime")
    room.run_ready("afterwards")
    _unchanged(before, room.pod("witness"))
    assert room.log("witness") == "here\n"


def test_what_ended_while_the_agent_was_dead_is_found(fragile: Cluster, room: Space) -> None:
    script = "until [ -e /proc/1/root/tmp/go ]; do sleep 0.1; done; exit 4"
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/tmp"}]}
    volume = {"name": "v", "emptyDir": {}}
    pod = room.run_ready("short", script, container=mount, volumes=[volume])
    assert fragile.home
    old = fragile.pid("runtime")
    assert old
    os.kill(old, signal.SIGKILL)
    directory = fragile.home / "node" / "pods" / pod["metadata"]["uid"] / "volumes"
    next(directory.rglob("v")).joinpath("go").touch()
    assert pods.exit_code(room.phase("short", "Failed")) == 4


def test_a_pod_deleted_while_the_agent_was_dead_goes(fragile: Cluster, room: Space) -> None:
    old = fragile.pid("runtime")
    assert old
    os.kill(old, signal.SIGKILL)
    room.rest.delete(room.path("pods", "witness"))
    room.rest.gone(room.path("pods", "witness"))


def test_a_killed_containerd_comes_back_and_pods_do_not_notice(fragile: Cluster, room: Space) -> None:
    before = room.pod("witness")
    pid = fragile.status()["processes"]["containerd"]["pid"]
    os.kill(pid, signal.SIGKILL)
    room.run_ready("afterwards")
    _unchanged(before, room.pod("witness"))


def test_pods_come_back_after_down_and_up(fragile: Cluster, room: Space) -> None:
    old = pods.status_of(room.pod("witness"))["containerID"]
    uid = room.pod("witness")["metadata"]["uid"]
    fragile.kubeling("down")
    assert not fragile.pid("server")
    fragile.up()
    processes.answering(fragile)

    def again(pod: Object) -> bool:
        return pods.ready(pod) and pods.status_of(pod)["containerID"] != old

    pod = room.until("witness", again, what="runs again")
    assert pod["metadata"]["uid"] == uid
    assert pods.status_of(pod)["restartCount"] == 1
    assert pod["status"]["podIP"]
    assert room.log("witness") == "here\n"


def test_nothing_is_left_running_after_down(fragile: Cluster, room: Space) -> None:
    container = pods.status_of(room.pod("witness"))["containerID"].removeprefix("containerd://")
    assert _mentioned(container), "the container's processes are to be seen"
    fragile.kubeling("down")
    try:
        eventually(partial(lambda: not _mentioned(container)), what="no process is left", timeout=10)
    finally:
        fragile.up()
        processes.answering(fragile)


def _unchanged(before: Object, after: Object) -> None:
    """Not only the same pod: the same container."""
    old, new = pods.status_of(before), pods.status_of(after)
    assert new["containerID"] == old["containerID"]
    assert new["restartCount"] == 0
    assert new["state"]["running"] == old["state"]["running"]
    assert after["status"]["podIP"] == before["status"]["podIP"]


def _mentioned(container: str) -> list[str]:
    """Processes in whose control group the container's id stands."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup") as groups:
                found += [pid] if container in groups.read() else []
        except OSError:
            continue
    return found
