"""A stop signal that the runtime does not know of, sent to a process of this machine's."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kubeling.objects.clock import FakeClock, SystemClock
from kubeling.objects.tasks import Tasks
from runtime.cri.stop_signal import pid_of, signal_container, signal_number

WAITS = """
import signal, sys
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE)
    assert started.stdout is not None
    started.stdout.readline()
    yield started
    started.kill()
    started.wait()
    started.stdout.close()


@pytest.mark.parametrize(
    ("name", "number"), [("SIGTERM", 15), ("SIGUSR1", 10), ("SIGRTMIN+3", 37), ("SIGRTMAX-1", 63)]
)
def test_signals_have_the_kernels_numbers(name: str, number: int) -> None:
    assert signal_number(name) == number


@pytest.mark.parametrize(
    ("text", "pid"), [('{"pid": 12}', 12), ("{}", 0), ("", 0), ("nonsense", 0), ("[]", 0)]
)
def test_the_process_is_found_in_the_runtimes_report(text: str, pid: int) -> None:
    assert pid_of({"info": text} if text else {}) == pid


async def test_the_process_gets_the_signal_and_its_end_is_awaited(process: "subprocess.Popen[bytes]") -> None:
    async def pid() -> int:
        return process.pid

    await asyncio.wait_for(signal_container(pid, "SIGUSR1", seconds=60, clock=SystemClock()), 30)
    assert process.wait(timeout=10) == 7


async def test_a_process_that_goes_on_is_waited_for_no_longer(process: "subprocess.Popen[bytes]") -> None:
    async def pid() -> int:
        return process.pid

    clock = FakeClock()
    async with Tasks("test") as tasks:
        waiting = tasks.start(signal_container(pid, "SIGTERM", seconds=5, clock=clock), name="signal")
        while not waiting.done():
            await clock.advance(1)
    assert process.poll() is None


async def test_a_number_that_is_somebody_elses_by_now_gets_nothing(
    process: "subprocess.Popen[bytes]",
) -> None:
    answers = iter([process.pid, 0])

    async def pid() -> int:
        return next(answers)

    await signal_container(pid, "SIGKILL", seconds=5, clock=FakeClock())
    assert process.poll() is None
