"""How fast thousands of virtual nodes come up, fill with pods, and empty again.

A cluster of its own with nothing but virtual nodes. The gates, on a machine of two cores that
the measuring client shares: 5000 nodes within 30 s, then 10 000 pods Running within 60 s, then all gone
within 60 s (kwok's own: 60, 60 and 90 s).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from bench.report import Row, show
from conformance.cluster import Cluster, remove
from kubeling.client.http import HttpClient
from kubeling.client.resources import PODS
from kubeling.objects.tasks import Tasks

WRITERS = 16
NAMESPACE = "default"


def main() -> None:
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="bench-virtual-") as directory:
        cluster = Cluster(Path(directory) / "kubeconfig", "", containers=False, home=Path(directory) / "home")
        try:
            rows = measure(cluster, nodes=options.nodes, pods=options.pods)
        finally:
            remove(cluster)
    show({f"{options.nodes} virtual nodes, {options.pods} pods": rows}, as_json=options.json)


def measure(cluster: Cluster, *, nodes: int, pods: int) -> list[Row]:
    began = time.monotonic()
    cluster.kubeling(
        "up", "--detach", "--no-node", "--virtual-nodes", str(nodes), "--port", "0",
        "--kubeconfig", str(cluster.kubeconfig), timeout=300,
    )  # fmt: skip
    registered = time.monotonic() - began
    rows = [_row(cluster, "nodes registered and Ready", registered, 30)]
    for what, seconds in asyncio.run(_pods(cluster.kubeconfig, pods)):
        rows.append(_row(cluster, what, seconds, 60))
    return rows


def _row(cluster: Cluster, what: str, seconds: float, gate: float) -> Row:
    memory = {name: process["resident"] / 2**20 for name, process in cluster.status()["processes"].items()}
    return {
        "": what,
        "seconds": seconds,
        "gate": gate,
        "server MiB": memory["server"],
        "virtual MiB": memory["virtual"],
    }


async def _pods(kubeconfig: Path, count: int) -> list[tuple[str, float]]:
    created, ran = await fill(kubeconfig, count)
    async with HttpClient.from_kubeconfig(kubeconfig) as client:
        began = time.monotonic()
        await client.delete_collection(PODS, namespace=NAMESPACE)
        while await _some_are_left(client):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        gone = time.monotonic() - began
    return [("pods created", created), ("pods Running", ran), ("pods deleted", gone)]


async def fill(kubeconfig: Path, count: int) -> tuple[float, float]:
    """Seconds until so many pods were created, and until all were Running."""
    async with HttpClient.from_kubeconfig(kubeconfig) as client, Tasks("bench") as tasks:
        running = asyncio.Event()
        tasks.start(_count_running(client, count, running), name="running")
        began = time.monotonic()
        await _spread(count, lambda number: client.create(PODS, _pod(number)))
        created = time.monotonic() - began
        await running.wait()
        return created, time.monotonic() - began


async def _some_are_left(client: HttpClient) -> bool:
    return bool((await client.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?limit=1"))["items"])


async def _spread(count: int, write: Callable[[int], Awaitable[Any]]) -> None:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await write(number)

    async with Tasks("writers") as tasks:
        await asyncio.gather(*(tasks.start(work(), name=f"{each}") for each in range(WRITERS)))


async def _count_running(client: HttpClient, count: int, all_run: asyncio.Event) -> None:
    seen = 0
    watch = client.watch(PODS, namespace=NAMESPACE, field_selector="status.phase=Running")
    async with aclosing(watch):
        async for kind, _ in watch:
            seen += kind == "ADDED"
            if seen == count:
                all_run.set()
                return


def _pod(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number}", "namespace": NAMESPACE, "labels": {"app": "bench"}},
        "spec": {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}]},
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
