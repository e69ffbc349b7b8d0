"""One supervised process: how it is started, its output collected in a log, its end noted.

Not here: when any of this happens (`kubeling.cluster.supervisor`).
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubeling.cluster import machine
from kubeling.cluster.logfile import LogFile

FIRST_DELAY = 0.5
LONGEST_DELAY = 5.0
STABLE_AFTER = 10.0
"""Seconds after which a process counts as healthy: the next failure is treated as the first."""

OPEN_FILES = 65536
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class ProcessSpec:
    name: str
    command: Sequence[str]
    log: Path
    stop_signal: signal.Signals
    stop_timeout: float
    """Seconds from the stop signal to SIGKILL."""


class Child:
    """A process that may be running. Descriptors `pidfd` and `output` are valid from start() to reap()."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.restarts = 0
        self.last_exit = ""
        self._log = LogFile(spec.log)
        self._process: subprocess.Popen[bytes] | None = None
        self._in_line = False
        self._started_at = 0.0
        self._delay = 0.0
        self.pidfd = -1
        self.output = -1

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, *, now: float) -> None:
        """Raises OSError if the system cannot start it."""
        self._started_at = now
        self._process = subprocess.Popen(
            self.spec.command,
            cwd="/",
            env={**os.environ, "PATH": machine.search_path()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_Preparation(os.getpid()),
            bufsize=0,
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        self.pidfd = os.pidfd_open(self._process.pid)

    def collect(self) -> bool:
        """Moves waiting output to the log; false at its end."""
        try:
            data = os.read(self.output, 65536)
        except BlockingIOError:
            return True
        self._record(data)
        return bool(data)

    def note_failure(self, reason: str, *, now: float) -> float:
        """Takes note of an end or a failed start. Returns the seconds until the next start."""
        self.last_exit = reason
        stable = now - self._started_at >= STABLE_AFTER
        self._delay = FIRST_DELAY if stable or not self._delay else min(self._delay * 2, LONGEST_DELAY)
        return self._delay

    def reap(self) -> str:
        """Lets go of the process, which has ended. Returns why it did."""
        assert self._process is not None
        code = self._process.wait()
        self._drain()
        os.close(self.pidfd)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        self.pidfd = self.output = -1
        return describe_exit(code)

    def send(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)

    def close(self) -> None:
        self._log.close()

    def _drain(self) -> None:
        """What the process wrote last. Processes that it left behind may keep the pipe open for ever."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.output, 65536):
                self._record(data)
        if self._in_line:
            self._record(b"\n")

    def _record(self, data: bytes) -> None:
        if data:
            self._log.write(data)
            self._in_line = not data.endswith(b"\n")


class _Preparation:
    """Runs in the new process before its program: it ends with its supervisor, and may open many files."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._prctl = ctypes.CDLL(None).prctl

    def __call__(self) -> None:
        self._prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != self._parent:
            os._exit(1)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def describe_exit(code: int) -> str:
    """An exit status as people say it: "exit code 1", "killed by SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
