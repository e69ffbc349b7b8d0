"""Who is running: identities that survive reused numbers, the lock of a home, what a dead supervisor left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kubeling.cluster import leftovers, lock, machine, preflight, runstate, stop
from kubeling.cluster.errors import AlreadyRunning, PreflightError
from kubeling.cluster.home import Home
from kubeling.cluster.identity import ProcessIdentity, identify, resident_bytes
from kubeling.cluster.runstate import ProcessState, RunState


@pytest.fixture
def place(tmp_path: Path) -> Home:
    (tmp_path / "home" / "run").mkdir(parents=True)
    return Home(root=tmp_path / "home", state=tmp_path / "state")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
    with subprocess.Popen(command) as process:
        yield process
        process.kill()


def known(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    identity = identify(process.pid)
    assert identity is not None
    return identity


def test_a_living_process_is_recognized(process: subprocess.Popen[bytes]) -> None:
    assert known(process).alive()
    assert resident_bytes(process.pid) > 0


def test_a_reused_number_is_another_process(process: subprocess.Popen[bytes]) -> None:
    stale = replace(known(process), started="another boot:1")
    assert not stale.alive()
    stale.send(signal.SIGKILL)
    assert stale.wait_gone(0)
    assert known(process).alive()


def test_the_end_of_a_process_is_waited_for(process: subprocess.Popen[bytes]) -> None:
    identity = known(process)
    assert not identity.wait_gone(0)
    identity.send(signal.SIGKILL)
    assert identity.wait_gone(10)
    assert not identity.alive()
    assert resident_bytes(2**22 + 1) == 0


def test_the_state_survives_being_saved(place: Home, process: subprocess.Popen[bytes]) -> None:
    state = RunState(
        known(process), {"server": ProcessState(known(process), 2, "exit code 1"), "runtime": ProcessState()}
    )
    runstate.save(place, state)
    assert runstate.load(place) == state
    assert runstate.running(place) == state


def test_a_stale_or_damaged_file_means_not_running(place: Home, process: subprocess.Popen[bytes]) -> None:
    runstate.save(place, RunState(replace(known(process), started="x")))
    assert runstate.running(place) is None
    place.supervisor_file.write_text("{")
    assert runstate.running(place) is None


def test_two_starts_of_one_home_are_impossible(place: Home) -> None:
    with lock.held(place), pytest.raises(AlreadyRunning):
        lock.acquire(place)
    os.close(lock.acquire(place))


def test_processes_of_a_killed_supervisor_are_ended(place: Home, process: subprocess.Popen[bytes]) -> None:
    dead = replace(known(process), started="x")
    runstate.save(place, RunState(dead, {"server": ProcessState(known(process))}))
    assert stop.stop(place) is False
    assert process.wait(10) == -signal.SIGTERM
    assert runstate.load(place) is None


def test_a_running_supervisor_is_asked_to_stop(place: Home, process: subprocess.Popen[bytes]) -> None:
    runstate.save(place, RunState(known(process)))
    assert stop.stop(place) is True
    assert process.wait(10) == -signal.SIGTERM


def test_only_this_homes_containerd_and_what_it_started_is_a_leftover(place: Home) -> None:
    place.state.mkdir()
    program = place.state / "containerd-fake"
    program.symlink_to("/bin/sh")
    loop = "trap : USR1; read line"
    ours = subprocess.Popen(
        [program, "-c", loop, str(place.state / "containerd.sock")], stdin=subprocess.PIPE
    )
    other = subprocess.Popen([program, "-c", loop, "/run/other/containerd.sock"], stdin=subprocess.PIPE)
    with ours, other:
        assert leftovers.end_processes(place) == 1
        assert ours.wait(10) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()


def test_the_cgroups_of_this_homes_pods_are_removed(
    place: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "CGROUP_ROOT", tmp_path / "cgroup")
    (place.root / "node" / "pods" / "u1").mkdir(parents=True)
    levels = [tmp_path / "cgroup" / level / "kubepods" for level in ("memory", "unified")]
    for each in [*levels, tmp_path / "cgroup" / "kubepods" / "burstable"]:
        (each / "podu1" / "container").mkdir(parents=True)
        (each / "podu2").mkdir()
    leftovers.remove_cgroups(place)
    assert {each.name for each in tmp_path.glob("cgroup/**/pod*")} == {"podu2"}


def test_files_are_removed_with_the_home(place: Home) -> None:
    place.state.mkdir()
    (place.root / "node" / "deep").mkdir(parents=True)
    (place.root / "link").symlink_to("/etc")
    leftovers.remove_files(place)
    assert not place.root.exists()
    assert not place.state.exists()
    assert Path("/etc").exists()


def test_a_disk_that_is_nearly_full_is_told_of_unless_the_node_has_settings(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path)
    assert not preflight.crowded_disk(home, left=15)
    assert "only 14% of the disk" in preflight.crowded_disk(home, left=14)
    home.kubelet_config.touch()
    assert not preflight.crowded_disk(home, left=14)
    assert 0 <= preflight.disk_left(tmp_path) <= 100


def test_a_node_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PreflightError, match="needs root") as caught:
        preflight.check_node(cri_endpoint="")
    assert "--no-node" in caught.value.hint


def test_missing_programs_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "SYSTEM_PATH", ())
    monkeypatch.setattr(preflight, "CNI_DIRECTORIES", (str(tmp_path),))
    with pytest.raises(PreflightError) as caught:
        preflight.check_node(cri_endpoint="")
    assert "containerd runc nftables containernetworking-plugins busybox-static" in caught.value.hint
    with pytest.raises(PreflightError, match="lacks nftables,"):
        preflight.check_node(cri_endpoint="unix:///run/containerd/containerd.sock")
