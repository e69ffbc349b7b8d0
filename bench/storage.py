"""How fast the store writes, reads its log back and delivers events, against what the disk itself can do.

    python -m bench.storage [--objects N] [--seconds S] [--directory DIR] [--datastore URL] [--json]

Every write is durable before it counts. The reference is the time of one synced append of a page to a file in
the same directory.
Event loop and threads are set up as in the server. Not here: the API in front of the store.
"""

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
import uvloop

from bench.report import Row, show
from kubeling.objects.clock import SystemClock
from kubeling.objects.tasks import Tasks
from server.storage import Store
from server.storage.lane import SWITCH_SECONDS

WRITERS = (1, 4, 16, 64, 256)
BUSY_WRITERS = 16
COLLECTION = (20_000, 50, 20)
"""The garbage collector's thresholds, as the server sets them."""


def main(
    objects: Annotated[int, typer.Option(help="Objects in the log that is replayed.")] = 100_000,
    seconds: Annotated[float, typer.Option(help="How long to write, per row.")] = 3.0,
    directory: Annotated[Path | None, typer.Option(help="Where the database is put.")] = None,
    datastore: Annotated[str, typer.Option(help="An empty database instead.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Creates and updates per second with few and many writers; start-up from a long log."""
    with tempfile.TemporaryDirectory(prefix="bench-storage-", dir=directory) as place:
        reference = _synced_append(Path(place))
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(*COLLECTION)
        url = datastore or f"sqlite:///{place}/bench.db"
        writes = uvloop.run(_measure(url, objects=objects, seconds=seconds))
        gc.collect()
        starts = [uvloop.run(_start(url))]
    rows: list[Row] = [{"reference": "one synced append of 4 KiB", "p50 ms": reference}]
    show({"disk": rows, f"writes over {seconds:g} s": writes, "start-up": starts}, as_json=as_json)


def _synced_append(place: Path, *, rounds: int = 300) -> float:
    """Milliseconds, the median."""
    times = []
    with open(place / "reference", "wb", buffering=0) as file:
        for _ in range(rounds):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return median(times) * 1e3


async def _measure(url: str, *, objects: int, seconds: float) -> list[Row]:
    store = await Store.open(url, clock=SystemClock())
    writes: list[Row] = []
    for writers in WRITERS:
        writes.append(await _creates(store, f"create, {writers} writers", writers=writers, seconds=seconds))
    writes.append(await _updates(store, f"update, {BUSY_WRITERS} writers", seconds=seconds))
    async with Tasks("bench") as tasks:
        tasks.start(_keep_busy(), name="busy")
        name = f"create, {BUSY_WRITERS} writers, loop busy"
        writes.append(await _creates(store, name, writers=BUSY_WRITERS, seconds=seconds))
    await fill(store, objects)
    await store.close()
    return writes


async def _creates(store: Store, name: str, *, writers: int, seconds: float) -> Row:
    numbers = count()

    async def create(_writer: int) -> None:
        pod = f"{name}-{next(numbers)}"
        await store.create("pods", "default", pod, _pod(pod))

    return await _row(name, create, writers=writers, seconds=seconds)


async def _updates(store: Store, name: str, *, seconds: float) -> Row:
    for writer in range(BUSY_WRITERS):
        await store.create("pods", "updates", f"pod-{writer}", _pod(f"pod-{writer}"))

    async def update(writer: int) -> None:
        await store.update("pods", "updates", f"pod-{writer}", _pod(f"pod-{writer}"), expected=None)

    return await _row(name, update, writers=BUSY_WRITERS, seconds=seconds)


async def _row(name: str, work: Callable[[int], Awaitable[None]], *, writers: int, seconds: float) -> Row:
    times: list[float] = []
    start = time.perf_counter()

    async def write(writer: int) -> None:
        while time.perf_counter() < start + seconds:
            before = time.perf_counter()
            await work(writer)
            times.append(time.perf_counter() - before)

    await asyncio.gather(*(write(writer) for writer in range(writers)))
    took = time.perf_counter() - start
    times.sort()
    return {
        "writes": name,
        "per second": len(times) / took,
        "p50 ms": median(times) * 1e3,
        "p99 ms": times[len(times) * 99 // 100] * 1e3,
    }


async def _keep_busy() -> None:
    """A loop that always has something to run, in pieces of a millisecond, as a server under requests."""
    while True:
        end = time.perf_counter() + 1e-3
        while time.perf_counter() < end:
            pass
        await asyncio.sleep(0)


async def fill(store: Store, objects: int) -> None:
    names = [f"pod-{number}" for number in range(objects)]
    for first in range(0, objects, 1000):
        chunk = names[first : first + 1000]
        await asyncio.gather(*(store.create("fill", "default", name, _pod(name)) for name in chunk))


async def _start(url: str) -> Row:
    start = time.perf_counter()
    store = await Store.open(url, clock=SystemClock())
    took = time.perf_counter() - start
    live = sum(len(store.list(resource)) for resource in ("pods", "fill"))
    start = time.perf_counter()
    events = await _watch_all(store)
    watched = time.perf_counter() - start
    await store.close()
    return {"from a log": f"of {live} objects", "open s": took, "watched events/s": events / watched}


async def _watch_all(store: Store) -> int:
    """Read every event that the log still has; how many those were."""
    seen = 0
    async with store.watch("fill", since=store.compacted_revision) as watch:
        while watch.revision < store.revision:
            seen += len(await anext(watch))
    return seen


def _pod(name: str) -> dict[str, Any]:
    """About two kilobytes of JSON."""
    env: Sequence[dict[str, str]] = [{"name": f"VARIABLE_{i}", "value": "a value" * 4} for i in range(24)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "bench"}},
        "spec": {"containers": [{"name": "main", "image": "bench:1", "env": list(env)}]},
        "status": {"phase": "Pending"},
    }


if __name__ == "__main__":
    typer.run(main)
