"""A daemon that outlives the process that started it: start, find again, watch, end.

Responsible for one pid file. Not responsible for what the daemon does or when to restart it.
"""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


class Daemon:
    """A running process known by pid; perhaps our child, perhaps that of an earlier run."""

    def __init__(self, pid: int, *, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self._child = child
        self._pidfd = os.pidfd_open(pid)

    @classmethod
    def start(cls, command: Sequence[str], *, log: Path, pid_file: Path) -> "Daemon":
        """Run `command` in a session of its own, its output appended to `log`."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
        daemon = cls(child.pid, child=child)
        pid_file.write_text(f"{child.pid}\n")
        return daemon

    @classmethod
    def adopt(cls, command: Sequence[str], *, pid_file: Path) -> "Daemon | None":
        """The living process of the pid file, if it runs exactly this command; else None."""
        try:
            pid = int(pid_file.read_text())
            daemon = cls(pid)
        except (OSError, ValueError):
            return None
        if _command_line(pid) == list(command):
            return daemon
        daemon.close()
        return None

    def alive(self) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    async def wait(self) -> None:
        """Return when the process has ended."""
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        descriptor = os.dup(self._pidfd)
        loop.add_reader(descriptor, lambda: None if ended.done() else ended.set_result(None))
        try:
            await ended
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        self._reap()

    async def end(self, *, grace: float) -> None:
        """SIGTERM, and SIGKILL when it has not ended after `grace` seconds."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.wait()

    def close(self) -> None:
        """Forget the process; it goes on."""
        with contextlib.suppress(OSError):
            os.close(self._pidfd)
        if self._child is not None:
            self._child.returncode = (
                self._child.returncode or 0
            )  # it is meant to outlive us: no ResourceWarning

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait()


def _command_line(pid: int) -> list[str]:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="replace") for part in raw.split(b"\0")[:-1]]
