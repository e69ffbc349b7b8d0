"""The control loops of a measured cluster in processes of their own, instead of in the server's.

Not here: what is measured of either.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measured import Server

_PATIENCE = 60.0


@contextmanager
def loops_apart(server: Server) -> Iterator[None]:
    """The server starts again without them; they speak to it over HTTP, each controller as its account."""
    config = server.home / "config" / "server.json"
    said = json.loads(config.read_bytes())
    config.write_text(json.dumps({**said, "controlLoops": False}))
    before = server.pid
    os.kill(before, signal.SIGKILL)  # its supervisor starts another one
    _wait_for_another(server, before)
    kubeconfig = ["--kubeconfig", str(server.home / "admin.kubeconfig"), "--no-leader-elect"]
    commands = (
        ["server.controllers", "--use-service-account-credentials", *kubeconfig],
        ["server.scheduler", *kubeconfig],
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *each], stdout=_log(server, each[0]), stderr=subprocess.STDOUT
        )
        for each in commands
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=_PATIENCE)


def _wait_for_another(server: Server, before: int) -> None:
    began = time.monotonic()
    while server.pid == before or not server.is_ready():
        time.sleep(0.1)
        if time.monotonic() - began > _PATIENCE:
            raise SystemExit("the server does not come back")


def _log(server: Server, name: str) -> int:
    path = Path(server.home / "logs" / f"{name}.log")
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
