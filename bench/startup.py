"""How long a new cluster takes to start, and what its processes use while nothing happens.

    python -m bench.startup [--rounds N] [--idle SECONDS] [--no-node] [--json]

Each round starts a cluster in a fresh home with everything installed, and removes it. Memory and processor
time are those of the last round's cluster.
Not here: clusters with load.
"""

import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
import urllib3

from bench.report import show
from conformance import pods
from conformance.cluster import Cluster, program, remove
from conformance.image_registry import free_port
from conformance.rest import connect

SETTLE = 10.0
"""Seconds after the start that do not count as idle."""


def main(
    rounds: Annotated[int, typer.Option(help="How many clusters to start.")] = 5,
    idle: Annotated[float, typer.Option(help="Seconds over which to watch the idle processes.")] = 30.0,
    no_node: Annotated[bool, typer.Option("--no-node", help="The API server alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time from `kubeling up --detach` to /readyz and to a Ready node; idle memory and processor time."""
    times: dict[str, list[float]] = {}
    usage: list[dict[str, str | float]] = []
    for number in range(rounds):
        with _started(node=not no_node) as (cluster, took):
            for name, seconds in took.items():
                times.setdefault(name, []).append(seconds)
            if number == rounds - 1:
                usage = _idle(cluster, seconds=idle)
    starts = [_row(name, took) for name, took in times.items()]
    show({f"start-up, {rounds} rounds": starts, f"idle over {idle:g} s": usage}, as_json=as_json)


@contextmanager
def _started(*, node: bool) -> Iterator[tuple[Cluster, dict[str, float]]]:
    with tempfile.TemporaryDirectory(prefix="bench-startup-") as directory:
        home = Path(directory) / "home"
        cluster = Cluster(Path(directory) / "kubeconfig", "", containers=node, home=home)
        try:
            yield cluster, _time_start(cluster)
        finally:
            remove(cluster)


def _time_start(cluster: Cluster) -> dict[str, float]:
    """Seconds from the start of the command to each state, seen from outside."""
    assert cluster.home
    port = free_port()
    arguments = ["up", "--detach", "--home", str(cluster.home), "--port", str(port)]
    arguments += ["--kubeconfig", str(cluster.kubeconfig), *([] if cluster.containers else ["--no-node"])]
    began = time.perf_counter()
    command = subprocess.Popen(
        [*program(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    took = {"/readyz": _until(lambda: _ready(port), began)}
    if cluster.containers:
        rest = connect(cluster.home / "admin.kubeconfig")
        took["node Ready"] = _until(lambda: any(map(pods.ready, rest.get("/api/v1/nodes")["items"])), began)
    _, errors = command.communicate(timeout=60)
    if command.returncode:
        raise SystemExit(errors)
    took["the command ends"] = time.perf_counter() - began
    return took


def _until(holds: Callable[[], bool], began: float) -> float:
    """Polls every few milliseconds: the pollings are a part of the load that the start has to bear."""
    waiting = threading.Event()
    while not holds():
        if time.perf_counter() - began > 60:
            raise SystemExit("the cluster did not start within 60 s")
        waiting.wait(0.01)
    return time.perf_counter() - began


_INSECURE = urllib3.PoolManager(cert_reqs=ssl.CERT_NONE, assert_hostname=False)
urllib3.disable_warnings()


def _ready(port: int) -> bool:
    try:
        url = f"https://127.0.0.1:{port}/readyz"
        return _INSECURE.request("GET", url, retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _idle(cluster: Cluster, *, seconds: float) -> list[dict[str, str | float]]:
    time.sleep(SETTLE)
    processes: dict[str, dict[str, Any]] = cluster.status()["processes"]
    pids = {name: process["pid"] for name, process in processes.items() if process.get("pid")}
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    return [
        {
            "process": name,
            "resident MiB": _resident(pid) / 2**20,
            "% of a core": (_cpu_seconds(pid) - before[name]) / seconds * 100,
        }
        for name, pid in pids.items()
    ]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _row(name: str, seconds: list[float]) -> dict[str, str | float]:
    return {"until": name, "median s": median(seconds), "fastest s": min(seconds), "slowest s": max(seconds)}


if __name__ == "__main__":
    typer.run(main)
