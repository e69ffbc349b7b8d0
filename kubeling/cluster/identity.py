"""Tells a process from a later one with the same number, and waits for its end without polling."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessIdentity:
    pid: int
    started: str
    """The boot's identity and the clock ticks since then: no two processes share pid and this."""

    def alive(self) -> bool:
        return identify(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signals the process if it still lives."""
        with contextlib.suppress(ProcessLookupError), self._handle() as handle:
            if handle is not None:
                signal.pidfd_send_signal(handle, number)

    def wait_gone(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for the end of the process, which need not be our child."""
        with self._handle() as handle:
            if handle is None:
                return True
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(timeout * 1000))

    @contextlib.contextmanager
    def _handle(self) -> Iterator[int | None]:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield handle if self.alive() else None
        finally:
            os.close(handle)


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a living process; None for one that has ended, reaped or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold blanks and parentheses
    if fields[0] in "ZX":
        return None
    return ProcessIdentity(pid, f"{_boot_id()}:{fields[19]}")


def resident_bytes(pid: int) -> int:
    """The resident memory of a process; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
