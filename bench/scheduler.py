"""How many pods a second the scheduler binds, and what one more node costs a decision.

    python -m bench.scheduler [--nodes 100 1000 5000] [--pods 2000] [--json]

The scheduler runs on a real registry, store and admission in this process, as it does in the server. The
pods are there before it starts, so that the rate is its own: decisions, bindings and events, all durable.
The reference of the same run is the same number of bindings, one after the other decided, without any
scheduler.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from bench.report import Row, show
from kubeling.client.resources import EVENTS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, Resource
from kubeling.objects import meta
from kubeling.objects.clock import SystemClock
from kubeling.objects.meta import Object
from server.admission.standard import standard
from server.auth.authorization import Authorization
from server.inprocess import LocalClient, user
from server.main import COLLECTION
from server.registry.context import SYSTEM
from server.registry.registry import Registry
from server.scheduler import start_scheduler
from server.storage import Store
from server.storage.lane import SWITCH_SECONDS

ZONES = 3
AT_ONCE = 100


class Plane:
    """What a scheduler works on: `admin` makes objects, `scheduler` is the scheduler's client."""

    def __init__(self, store: Store) -> None:
        clock = SystemClock()
        self.store = store
        registry = Registry(store, clock, standard(store, Authorization.standard(store)))
        self.admin = LocalClient(registry, store, user=SYSTEM)
        self.scheduler = LocalClient(registry, store, user=user("system:kube-scheduler"))

    async def close(self) -> None:
        await self.admin.close()
        await self.scheduler.close()
        await self.store.close()


@asynccontextmanager
async def plane() -> AsyncIterator[Plane]:
    with tempfile.TemporaryDirectory(prefix="bench-scheduler-") as directory:
        made = Plane(await Store.open(f"sqlite:///{Path(directory)}/bench.db", clock=SystemClock()))
        try:
            await _make(made.admin, NAMESPACES, {"name": "ns"})
            await _make(made.admin, SERVICE_ACCOUNTS, {"name": "default", "namespace": "ns"})
            yield made
        finally:
            await made.close()


async def _make(client: LocalClient, resource: Resource, metadata: Object) -> None:
    await client.create(
        resource, {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    )


async def add_nodes(client: LocalClient, count: int) -> None:
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(
            *(_add_node(client, number) for number in range(first, min(first + AT_ONCE, count)))
        )


async def _add_node(client: LocalClient, number: int) -> None:
    name = f"node-{number}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % ZONES}"}
    offers = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
    node: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": offers, "allocatable": offers},
    }
    await client.create(NODES, node)
    await client.patch(NODES, name, {"spec": {"taints": None}})


async def add_pods(client: LocalClient, count: int, *, prefix: str, scheduler: str) -> None:
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        await asyncio.gather(
            *(client.create(PODS, _pod(f"{prefix}-{number}", scheduler)) for number in numbers)
        )


def _pod(name: str, scheduler: str) -> Object:
    requests = {"cpu": "10m", "memory": "16Mi"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "labels": {"app": "bench"}},
        "spec": {
            "schedulerName": scheduler,
            "containers": [{"name": "c", "image": "busybox", "resources": {"requests": requests}}],
        },
    }


async def bindings_alone(made: Plane, count: int) -> float:
    """Seconds for as many bindings without a scheduler."""
    await add_pods(made.admin, count, prefix="by-hand", scheduler="nobody")
    begin = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        await asyncio.gather(
            *(made.scheduler.create(PODS, _binding(each), subresource="binding") for each in numbers)
        )
    return time.perf_counter() - begin


def _binding(number: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": f"by-hand-{number}", "namespace": "ns"},
        "target": {"kind": "Node", "name": "node-0"},
    }


class Progress:
    """Counts bindings of the pods, and the events about them, as they become visible."""

    def __init__(self, client: LocalClient, count: int) -> None:
        self._left = {"bound": count, "events": count}
        self.times: dict[str, float] = {}
        self.done = asyncio.Event()
        client.informer(PODS).add_handler(self._pod_changed)
        client.informer(EVENTS).add_handler(self._event_changed)

    def _pod_changed(self, kind: str, pod: Object, _: Object | None) -> None:
        if kind == "MODIFIED" and meta.name(pod).startswith("pod-"):
            self._count("bound")

    def _event_changed(self, kind: str, event: Object, _: Object | None) -> None:
        if kind == "ADDED" and event["reason"] == "Scheduled":
            self._count("events")

    def _count(self, what: str) -> None:
        self._left[what] -= 1
        if not self._left[what]:
            self.times[what] = time.perf_counter()
        if len(self.times) == len(self._left):
            self.done.set()


async def scheduled(made: Plane, count: int) -> tuple[float, float, float]:
    """Seconds from the scheduler's start until the last pod is bound; until the last event is written; and of
    processor time."""
    await add_pods(made.admin, count, prefix="pod", scheduler="default-scheduler")
    progress = Progress(made.admin, count)
    await asyncio.sleep(0.2)
    gc.freeze()
    begin, used = time.perf_counter(), time.process_time()
    scheduler = start_scheduler(made.scheduler)
    try:
        async with asyncio.timeout(count / 20):
            await progress.done.wait()
    except TimeoutError as error:
        raise SystemExit(f"not all pods were bound, or not all events written: {progress.times}") from error
    finally:
        await scheduler.stop()
    used = time.process_time() - used
    return progress.times["bound"] - begin, progress.times["events"] - begin, used


async def measure(nodes: int, pods: int) -> Row:
    async with plane() as made:
        await add_nodes(made.admin, nodes)
        alone = await bindings_alone(made, pods)
        bound, told, used = await scheduled(made, pods)
    return {
        "nodes": str(nodes),
        "pods bound/s": pods / bound,
        "with events/s": pods / told,
        "processor us/pod": used / pods * 1e6,
        "bindings alone/s": pods / alone,
        "ratio": alone / bound,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    gc.set_threshold(*COLLECTION)  # as in the server
    sys.setswitchinterval(SWITCH_SECONDS)
    rows = [uvloop.run(measure(nodes, options.pods)) for nodes in options.nodes]
    show({"scheduling": rows}, as_json=options.json)


if __name__ == "__main__":
    main()
