"""What a cluster with 100 virtual nodes and 1000 pods costs while nothing happens: processor time and memory.

Gates: 3 % of a core, both processes together, and 250 MiB of the server.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench.report import Row, show
from bench.virtual_nodes import fill
from conformance.cluster import Cluster, remove

SETTLING = 15.0
"""Seconds after the last pod came."""
PROCESSES = ("server", "virtual")


def main() -> None:
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as directory:
        cluster = Cluster(Path(directory) / "kubeconfig", "", containers=False, home=Path(directory) / "home")
        try:
            cluster.up("--no-node", "--virtual-nodes", str(options.nodes), "--port", "0")
            asyncio.run(fill(cluster.kubeconfig, options.pods))
            time.sleep(SETTLING)
            rows = measure(cluster, seconds=options.seconds)
        finally:
            remove(cluster)
    show({f"{options.nodes} nodes, {options.pods} pods, idle": rows}, as_json=options.json)


def measure(cluster: Cluster, *, seconds: float) -> list[Row]:
    pids = {name: cluster.pid(name) or 0 for name in PROCESSES}
    before = {name: processor_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    rows: list[Row] = []
    for name, pid in pids.items():
        used = (processor_seconds(pid) - before[name]) / seconds * 100
        rows.append({"process": name, "% of a core": used, "MiB": resident(pid)})
    return rows


def processor_seconds(pid: int) -> float:
    """Seconds of processor time since the process began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
