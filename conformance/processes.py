"""Kill a cluster's processes and see them come back.

Not here: what must still hold afterwards.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import urllib3

from conformance.cluster import Cluster
from conformance.rest import Rest, connect
from conformance.waiting import eventually


def kill(cluster: Cluster, process: str) -> int:
    """Kills `server` or `runtime` with SIGKILL, waits for another to take its place, returns its pid."""
    old = cluster.pid(process)
    assert old, f"{process} does not run: {cluster.status()}"
    os.kill(old, signal.SIGKILL)
    return eventually(partial(_another, cluster, process, old), what=f"another {process} runs")


def send(cluster: Cluster, process: str, number: signal.Signals) -> int:
    """Sends a signal to `server`, `runtime` or `containerd`, as soon as it runs; returns its pid."""
    pid = eventually(partial(cluster.pid, process), what=f"{process} runs")
    assert pid
    os.kill(pid, number)
    return pid


@contextmanager
def stopped(cluster: Cluster, process: str) -> Iterator[None]:
    """During the block the process hangs: it is there, takes connections, and answers nothing."""
    pid = send(cluster, process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


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
    pid = cluster.pid(process)
    return pid if pid and pid != old and os.path.exists(f"/proc/{pid}") else None
