"""Starts a cluster's supervisor and waits until its API server, then its node, are ready.

Not here: preparing the home (`kubeling.cluster.prepare`) and showing progress (`kubeling.cli.up`).
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from kubeling.cluster.apiclient import ApiClient, node_obstacle
from kubeling.cluster.errors import ApiFailed, StartFailed
from kubeling.cluster.events import Event, EventReader
from kubeling.cluster.home import Home
from kubeling.cluster.logfile import size, tail
from kubeling.cluster.settings import Settings

ATTEMPT_EVERY = 0.02
LOG_LINES = 15
NO_SPACE = 64 * 1024
"""Bytes: with less than that free a process can neither store anything nor log why."""
REASON = re.compile(r"ERROR\s.*?: cannot (?:start|go on): (.*)")
"""What a process that knows why it ends says in its last line."""


@dataclass
class Started:
    """A supervisor that was started by this process."""

    home: Home
    process: subprocess.Popen[bytes]
    events: EventReader
    logged: dict[str, int]
    """How long the logs were before."""

    def said(self, process: str) -> list[str]:
        """The last lines that a process has logged since."""
        return tail(self.home.logs / f"{process}.log", LOG_LINES, since=self.logged.get(process, 0))

    def release(self) -> None:
        """Lets the supervisor live on its own."""
        self.events.connection.close()
        self.process.returncode = 0  # it outlives us: Popen must not warn that nobody waited for it


def start_supervisor(home: Home, *, lock: int, detach: bool) -> Started:
    """Starts it in its own session; it takes over the lock. Not detached, it ends when we do."""
    logged = {name: size(home.logs / f"{name}.log") for name in ("server", "runtime", "virtual")}
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "kubeling.cluster", "--home", str(home.root)]
    command += ["--lock-fd", str(lock), "--events-fd", str(theirs.fileno())]
    log = os.open(home.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    process = subprocess.Popen(
        command if detach else [*command, "--owned"],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(lock, theirs.fileno()),
        start_new_session=True,
    )
    os.close(log)
    theirs.close()
    return Started(home, process, EventReader(ours), logged)


def wait_for_server(started: Started, client: ApiClient, *, timeout: float) -> None:
    """Returns when /readyz says ok. Raises StartFailed if a process ends first or `timeout` seconds pass."""

    def obstacle() -> str:
        answer = str(client.get("/readyz")).strip()
        return "" if answer == "ok" else answer

    reason = _wait(started, obstacle, timeout)
    if reason:
        raise _too_late(started, "the API server", "server", reason, timeout)


def wait_for_node(started: Started, client: ApiClient, settings: Settings, *, timeout: float) -> None:
    """Returns when the node's Ready condition is true. Raises StartFailed as above."""
    path = f"/api/v1/nodes/{settings.node_name}"
    reason = _wait(started, lambda: node_obstacle(client.get(path)), timeout)
    if reason:
        raise _too_late(started, f"node {settings.node_name}", "runtime", reason, timeout)


def wait_for_virtual_nodes(
    started: Started, client: ApiClient, settings: Settings, *, timeout: float
) -> None:
    """Returns when all are there, which are ready from the beginning. Raises StartFailed as above."""
    wanted = settings.virtual_nodes

    def obstacle() -> str:
        listing = client.get("/api/v1/nodes?limit=1")
        there = len(listing["items"]) + int(listing["metadata"].get("remainingItemCount") or 0)
        if there < wanted:
            return f"{there} of {wanted} are registered"
        return node_obstacle(client.get(f"/api/v1/nodes/virtual-{wanted - 1}"))

    reason = _wait(started, obstacle, timeout)
    if reason:
        raise _too_late(started, f"virtual-{wanted - 1}", "virtual", reason, timeout)


def _wait(started: Started, obstacle: Callable[[], str], timeout: float) -> str:
    """Asks until nothing is in the way; returns what was in the way when the time was over."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            reason = obstacle()
        except ApiFailed as error:
            reason = error.message
        if not reason or time.monotonic() > deadline:
            return reason
        for event in started.events.wait(ATTEMPT_EVERY):
            _require_success(started, event)
        if started.events.closed:
            raise StartFailed(
                "the supervisor of the cluster ended", details=tail(started.home.supervisor_log, LOG_LINES)
            )


def _require_success(started: Started, event: Event) -> None:
    if event.what != "exited":
        return
    said = started.said(event.process)
    known = REASON.search(said[-1]) if said else None
    log = started.home.logs / f"{event.process}.log"
    full = shutil.disk_usage(log.parent).free < NO_SPACE
    raise StartFailed(
        f"the {event.process} did not start: {known[1] if known else event.detail}",
        hint=f"the disk that holds {log.parent.parent} is full" if full else f"the whole log is {log}",
        details=[] if known else said,
    )


def _too_late(started: Started, what: str, process: str, reason: str, timeout: float) -> StartFailed:
    return StartFailed(
        f"{what} is not ready after {timeout:.0f} s: {reason}",
        hint=f"the whole log is {started.home.logs / process}.log",
        details=started.said(process),
    )
