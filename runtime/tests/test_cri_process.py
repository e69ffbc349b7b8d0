"""Daemons that outlive their starter."""

import asyncio
import os
from pathlib import Path

import pytest

from runtime.cri.process import Daemon

SLEEP = ["/bin/sleep", "1000"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {"log": tmp_path / "log", "pid_file": tmp_path / "pid"}


async def test_a_daemon_is_found_again_and_ends_on_request(files: dict[str, Path]) -> None:
    started = Daemon.start(SLEEP, **files)
    while (adopted := Daemon.adopt(SLEEP, pid_file=files["pid_file"])) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # the kernel shows the command line a moment after the start
    assert adopted.pid == started.pid
    assert adopted.alive()
    await adopted.end(grace=5)
    await started.wait()
    assert not started.alive()
    adopted.close()
    started.close()
    assert Daemon.adopt(SLEEP, pid_file=files["pid_file"]) is None


async def test_a_daemon_has_a_session_of_its_own(files: dict[str, Path]) -> None:
    daemon = Daemon.start(SLEEP, **files)
    assert os.getsid(daemon.pid) == daemon.pid != os.getsid(0)
    await daemon.end(grace=5)
    daemon.close()


def test_another_process_of_that_pid_is_not_adopted(files: dict[str, Path]) -> None:
    files["pid_file"].write_text(str(os.getpid()))
    assert Daemon.adopt(SLEEP, pid_file=files["pid_file"]) is None


@pytest.mark.parametrize("text", ["", "nonsense", "999999999"])
def test_a_stale_pid_file_is_no_daemon(files: dict[str, Path], text: str) -> None:
    files["pid_file"].write_text(text)
    assert Daemon.adopt(SLEEP, pid_file=files["pid_file"]) is None


async def test_one_that_ignores_the_request_is_killed(files: dict[str, Path]) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 0.01; done"
    daemon = Daemon.start(["/bin/sh", "-c", script], **files)
    while "up" not in files["log"].read_text():  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.005)
    await daemon.end(grace=0.05)
    assert not daemon.alive()
    daemon.close()


async def test_waiting_ends_when_the_process_does(files: dict[str, Path]) -> None:
    daemon = Daemon.start(["/bin/true"], **files)
    await asyncio.wait_for(daemon.wait(), 5)
    daemon.close()
