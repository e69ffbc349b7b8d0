"""What containerd has lost sight of is ended, and only that."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cri.orphans import Orphans

_SHIM = "import subprocess, sys, time; subprocess.Popen(['sleep', '300']); print(flush=True); time.sleep(300)"


@pytest.fixture
def orphans(tmp_path: Path) -> Orphans:
    made = Orphans(
        socket=tmp_path / "containerd.sock",
        tasks=tmp_path / "tasks",
        work=tmp_path / "work",
        namespaces=tmp_path / "netns",
        leases=tmp_path / "leases",
    )
    for directory in (made.tasks, made.work, made.namespaces, made.leases):
        directory.mkdir()
    return made


@pytest.fixture
def shim(orphans: Orphans) -> "Iterator[subprocess.Popen[bytes]]":
    """What looks like a shim of the sandbox `box`, with a process below it."""
    arguments = ["-namespace", "k8s.io", "-id", "box", "-address", str(orphans.socket)]
    command = ["containerd-shim-runc-v2", "-c", _SHIM, *arguments]
    process = subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_shims_are_known_by_the_socket_of_their_containerd(
    orphans: Orphans, shim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert orphans.shims() == {"box": shim.pid}
    (orphans.tasks / "bare").mkdir()
    assert orphans.suspects() == {"box", "bare"}
    other = Orphans(tmp_path / "other.sock", *[tmp_path / "nothing"] * 4)
    assert not other.suspects()


def test_an_orphan_is_ended_with_what_runs_below_it(
    orphans: Orphans, shim: "subprocess.Popen[bytes]"
) -> None:
    below = [int(pid) for pid in Path(f"/proc/{shim.pid}/task/{shim.pid}/children").read_text().split()]
    descriptor = os.pidfd_open(below[0])
    (orphans.tasks / "box" / "rootfs").mkdir(parents=True)
    (orphans.work / "box").mkdir()
    orphans.end("box")
    assert shim.wait(timeout=10) == -signal.SIGKILL
    assert select.select([descriptor], [], [], 10)[0], "it has ended"
    os.close(descriptor)
    assert not list(orphans.tasks.iterdir())
    assert not list(orphans.work.iterdir())


def test_addresses_of_sandboxes_that_never_came_to_be_are_free_again(orphans: Orphans) -> None:
    leases = orphans.leases / "kubeling"
    leases.mkdir()
    for address, holder in (("10.1.0.2", "alive"), ("10.1.0.3", "dead"), ("10.1.0.4", "dead")):
        (leases / address).write_text(f"{holder}\neth0")
    (leases / "last_reserved_ip.0").write_text("10.1.0.4")
    (leases / "lock").touch()
    remains = orphans.network()
    (leases / "10.1.0.5").write_text("being made\neth0")
    orphans.free_network(remains, ["alive"])
    left = {each.name for each in leases.iterdir()}
    assert left == {"10.1.0.2", "10.1.0.5", "last_reserved_ip.0", "lock"}


def test_namespaces_that_nobody_is_in_go(orphans: Orphans) -> None:
    (orphans.namespaces / "cni-empty").touch()
    (orphans.namespaces / "cni-used").symlink_to("/proc/self/ns/net")
    orphans.free_network(orphans.network(), [])
    assert [each.name for each in orphans.namespaces.iterdir()] == ["cni-used"]


def test_what_a_reboot_left_of_tasks_on_disk_goes(orphans: Orphans) -> None:
    for each in ("ended", "alive"):
        (orphans.work / each).mkdir()
    (orphans.tasks / "alive").mkdir()
    orphans.forget_work()
    assert [each.name for each in orphans.work.iterdir()] == ["alive"]
