"""Kill a cluster's processes and see them come back.

Not here: what must still hold afterwards.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import urllib3

from conformance.cluster import Cluster
from conformance.rest import Rest, connect
from conformance.waiting import eventually


def kill(cluster: Cluster, process: str) -> int:
    """Kills `server` or `runtime` with SIGKILL, waits for another to take its place, returns its pid."""
    old = pid(cluster, process)
    assert old, f"{process} does not run: {cluster.status()}"
    os.kill(old, signal.SIGKILL)
    return eventually(partial(_another, cluster, process, old), what=f"another {process} runs")


def pid(cluster: Cluster, process: str) -> int | None:
    """Of `server`, `runtime`, `virtual` or `containerd`, None while it does not run. Asks nobody: the server
    may be one of those that do not answer.
    """
    assert cluster.home
    if process == "containerd":
        state = json.loads((cluster.home / "config" / "node.json").read_text())["state"]
        return int(Path(state, "containerd.pid").read_text())
    document = json.loads((cluster.home / "run" / "supervisor.json").read_text())
    identity = document["processes"][process]["identity"]
    return int(identity["pid"]) if identity else None


def send(cluster: Cluster, process: str, number: signal.Signals) -> int:
    """Sends a signal to `server`, `runtime` or `containerd`, as soon as it runs; returns its pid."""
    found = eventually(partial(pid, cluster, process), what=f"{process} runs")
    assert found
    os.kill(found, number)
    return found


@contextmanager
def stopped(cluster: Cluster, process: str) -> Iterator[None]:
    """During the block the process hangs: it is there, takes connections, and answers nothing."""
    hanging = send(cluster, process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(hanging, signal.SIGCONT)


def answering(cluster: Cluster) -> Rest:
    """A connection to the server, once it is ready."""
    rest = connect(cluster.kubeconfig)
    eventually(partial(is_ready, rest), what="the server is ready", every=0.05)
    return rest


def is_ready(rest: Rest) -> bool:
    try:
        return rest.request("GET", "/readyz").code == 200
    except urllib3.exceptions.HTTPError:
        return False


def _another(cluster: Cluster, process: str, old: int) -> int | None:
    found = pid(cluster, process)
    return found if found and found != old and os.path.exists(f"/proc/{found}") else None
