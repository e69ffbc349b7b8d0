"""What a write costs as the number of watchers grows: of other resources, other namespaces, and of its own.

    python -m bench.watchers [--seconds S] [--json]

Watchers of anything else must cost nothing. The reference is the same write with no watcher at all.
"""

import asyncio
import tempfile
import time
from typing import Annotated, Any

import typer
import uvloop

from bench.report import Row, show
from kubeling.objects.clock import SystemClock
from server.storage import Store, Watch

COUNTS = (0, 100, 1000, 5000)
WRITERS = 16
PLACES = {
    "another resource": ("services", None),
    "another namespace": ("pods", "other-{}"),
    "the same namespace": ("pods", "default"),
}


def main(
    seconds: Annotated[float, typer.Option(help="How long to write, per row.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Updates per second by 16 writers, with 0 to 5000 watchers that wait."""
    with tempfile.TemporaryDirectory(prefix="bench-watchers-") as place:
        rows = uvloop.run(_measure(f"sqlite:///{place}/bench.db", seconds))
    show({f"updates by {WRITERS} writers": rows}, as_json=as_json)


async def _measure(url: str, seconds: float) -> list[Row]:
    store = await Store.open(url, clock=SystemClock())
    for writer in range(WRITERS):
        await store.create("pods", "default", f"pod-{writer}", _pod(writer, 0))
    await _updates(store, seconds / 2)
    rows: list[Row] = []
    for name, (resource, namespace) in PLACES.items():
        alone = 0.0
        for count in COUNTS:
            watches = [
                store.watch(resource, namespace=namespace and namespace.format(number), since=store.revision)
                for number in range(count)
            ]
            rate = await _written(store, watches, seconds)
            alone = alone or rate
            rows.append(
                {
                    "watchers": f"{count} of {name}",
                    "updates/s": rate,
                    "part of none": rate / alone,
                    "more µs a write": (1 / rate - 1 / alone) * 1e6,
                }
            )
    await store.close()
    return rows


async def _written(store: Store, watches: list[Watch], seconds: float) -> float:
    """Updates a second while every watch is read by a task of its own."""
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(_read(watch)) for watch in watches]
        await asyncio.sleep(0)
        rate = await _updates(store, seconds)
        for watch in watches:
            watch.close()
        await asyncio.gather(*readers)
    return rate


async def _read(watch: Watch) -> None:
    async for _ in watch:
        pass


async def _updates(store: Store, seconds: float) -> float:
    start, written = time.perf_counter(), 0

    async def write(writer: int) -> None:
        nonlocal written
        while time.perf_counter() < start + seconds:
            written += 1
            pod = _pod(writer, written)
            await store.update("pods", "default", f"pod-{writer}", pod, expected=None)

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    return written / (time.perf_counter() - start)


def _pod(writer: int, value: int) -> dict[str, Any]:
    metadata = {"name": f"pod-{writer}", "namespace": "default", "labels": {"app": "bench"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "value": value, "filling": "x" * 500}


if __name__ == "__main__":
    typer.run(main)
