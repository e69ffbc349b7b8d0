"""Processes that die, hang, or are not to be reached: pods go on, or come back; nothing is lost or left."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from conformance import pods, power_cut, processes
from conformance.cluster import Cluster
from conformance.leaks import Node, mentioned, nothing_left
from conformance.processes import stopped
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually


def test_a_killed_server_comes_back_and_pods_do_not_notice(fragile: Cluster, room: Space) -> None:
    before = room.pod("witness")
    processes.kill(fragile, "server")
    processes.answering(fragile)
    _unchanged(before, room.pod("witness"))
    room.run_ready("afterwards")
    assert room.log("witness") == "here\n"


def test_a_killed_agent_comes_back_and_nothing_changes(fragile: Cluster, room: Space) -> None:
    """Neither the pod nor what was said of it: not even for a moment."""
    eventually(lambda: len(room.events("witness")) >= 4, what="the events of its start are there")
    before, events = room.pod("witness"), _told(room)
    processes.kill(fragile, "runtime")
    room.run_ready("afterwards")
    assert room.pod("witness") == before
    assert _told(room) == events
    assert room.log("witness") == "here\n"


def test_a_second_agent_is_turned_away(fragile: Cluster) -> None:
    assert fragile.home
    command = [sys.executable, "-m", "runtime", "--config", str(fragile.home / "config" / "node.json")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "another agent runs the node" in second.stderr


def test_what_ended_while_the_agent_was_dead_is_found(fragile: Cluster, room: Space) -> None:
    script = "until [ -e /proc/1/root/tmp/go ]; do sleep 0.1; done; exit 4"
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/tmp"}]}
    volume = {"name": "v", "emptyDir": {}}
    pod = room.run_ready("short", script, container=mount, volumes=[volume])
    processes.send(fragile, "runtime", signal.SIGKILL)
    _volume(fragile, pod).joinpath("go").touch()
    assert pods.exit_code(room.phase("short", "Failed")) == 4


def test_a_pod_deleted_while_the_agent_was_dead_goes(fragile: Cluster, room: Space) -> None:
    processes.send(fragile, "runtime", signal.SIGKILL)
    room.rest.delete(room.path("pods", "witness"))
    room.rest.gone(room.path("pods", "witness"))


def test_pods_go_on_while_the_server_is_away(fragile: Cluster, room: Space) -> None:
    """What crashes is started again; what happened meanwhile is told afterwards."""
    script = "until [ -e /tmp/go ]; do sleep 0.1; done; rm /tmp/go; exit 3"
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/tmp"}]}
    volume = {"name": "v", "emptyDir": {}}
    pod = room.run_ready("crashing", script, container=mount, volumes=[volume], restartPolicy="Always")
    with stopped(fragile, "server"):
        _volume(fragile, pod).joinpath("go").touch()
        uid = pod["metadata"]["uid"]
        again = partial(_number_of_containers, fragile, uid, "main", 2)
        eventually(again, what="it was started again", timeout=20)
    after = room.until("crashing", lambda pod: pods.status_of(pod)["restartCount"] == 1, what="is told of")
    assert pods.status_of(after)["lastState"]["terminated"]["exitCode"] == 3


def test_an_agent_that_starts_while_the_server_is_away_runs_the_nodes_own_pods(
    fragile: Cluster, room: Space
) -> None:
    """And touches none of the others."""
    before = room.pod("witness")
    assert fragile.home
    manifest = fragile.home.parent / "static" / "own.json"
    with stopped(fragile, "server"):
        processes.kill(fragile, "runtime")
        manifest.write_text(json.dumps(pods.pod("own", pods.container(room.image, name="own"))))
        eventually(lambda: "own" in _names(fragile), what="the static pod runs", timeout=40)
        assert _number_of_containers(fragile, before["metadata"]["uid"], "main", 1)
    processes.answering(fragile)
    manifest.unlink()
    _unchanged(before, room.until("witness", pods.ready, what="is ready"))
    eventually(lambda: "own" not in _names(fragile), what="the static pod is gone")


def test_a_name_may_be_used_again_at_once(fragile: Cluster, room: Space) -> None:
    """As a StatefulSet does it, only faster: forced away while the one before is still being made."""
    with nothing_left(fragile) as known:
        for _ in range(5):
            known.append(room.run("again", restartPolicy="Always"))
            room.rest.delete(room.path("pods", "again"), gracePeriodSeconds=0)
        last = room.run_ready("again", restartPolicy="Always")
        assert pods.status_of(last)["restartCount"] == 0
        assert len({pod["metadata"]["uid"] for pod in [*known, last]}) == 6
        room.remove_pod("again")


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


@pytest.mark.timeout(150)
def test_pods_come_back_after_the_machine_lost_its_power(fragile: Cluster, room: Space) -> None:
    """With new sandboxes and volumes written anew; what was in memory is lost, addresses are not."""
    room.secret("word", word="open")
    mounts = [{"name": "word", "mountPath": "/word"}, {"name": "memory", "mountPath": "/memory"}]
    volumes = [
        {"name": "word", "secret": {"secretName": "word"}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
    ]
    script = "cat /word/word; echo; ls /memory; touch /memory/file; " + pods.IDLE
    with nothing_left(fragile, timeout=30) as known:
        container = {"volumeMounts": mounts}
        known.append(
            room.run_ready("lasting", script, container=container, volumes=volumes, restartPolicy="Always")
        )
        try:
            power_cut.cut(fragile)
        finally:
            fragile.up()
            processes.answering(fragile)

        def again(pod: Object) -> bool:
            return pods.ready(pod) and pods.status_of(pod)["restartCount"] == 1

        for name in ("lasting", "witness"):
            room.until(name, again, what="runs again", timeout=60)
        eventually(partial(_says, room, "lasting", "open\n"), what="its volumes are as at the beginning")
        for name in ("lasting", "witness"):
            room.remove_pod(name)


def test_nothing_is_left_running_after_down(fragile: Cluster, room: Space) -> None:
    container = pods.status_of(room.pod("witness"))["containerID"].removeprefix("containerd://")
    assert mentioned(container), "the container's processes are to be seen"
    fragile.kubeling("down")
    try:
        eventually(partial(lambda: not mentioned(container)), what="no process is left", timeout=10)
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


def _says(room: Space, name: str, text: str) -> bool:
    assert room.log(name) == text
    return True


def _told(room: Space) -> list[tuple[str, object]]:
    return [(each["reason"], each.get("count")) for each in room.events("witness")]


def _volume(cluster: Cluster, pod: Object) -> Path:
    """Where the pod's volume `v` lies on the node."""
    assert cluster.home
    directory = cluster.home / "node" / "pods" / pod["metadata"]["uid"] / "volumes"
    (found,) = directory.rglob("v")
    return Path(found)


def _names(cluster: Cluster) -> list[str]:
    return [name for _, name in Node.of(cluster).containers()]


def _number_of_containers(cluster: Cluster, uid: str, name: str, number: int) -> bool:
    return Node.of(cluster).containers().count((uid, name)) >= number
