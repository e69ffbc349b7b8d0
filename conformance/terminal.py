"""A terminal with a program on it, driven as a person would: type, read, resize.

Not here: which program.
"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Terminal:
    master: int
    process: "subprocess.Popen[bytes]"
    seen: str = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, text: str, *, timeout: float = 20) -> str:
        """What appeared up to and with `text`, from where the last call ended."""
        end = time.monotonic() + timeout
        while text not in self.seen:
            reading = self._read(max(0, end - time.monotonic()))
            assert reading, f"it ended without {text!r}: {self.seen!r}"
            assert time.monotonic() < end, f"no {text!r} within {timeout:g} s: {self.seen!r}"
        found, _, self.seen = self.seen.partition(text)
        return found + text

    def resize(self, *, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, *, timeout: float = 20) -> int:
        """The exit code. What the program still writes is read, so that it can end."""
        end = time.monotonic() + timeout
        while self._read(0.1):
            assert time.monotonic() < end, f"still running after {timeout:g} s: {self.seen!r}"
        return self.process.wait(max(0.1, end - time.monotonic()))

    def _read(self, timeout: float) -> bool:
        """False once the program's side is closed."""
        if not select.select([self.master], [], [], timeout)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextmanager
def opened(command: Sequence[str], *, rows: int = 24, columns: int = 80) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=_take_terminal
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _take_terminal() -> None:
    """The terminal signals a change of its size to the session that it controls."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
