"""A process that writes is killed, again and again: what it had been told was written is there.

The crash of a whole server, seen through its API, is in `conformance`.
"""

import random
import subprocess
import sys

import pytest

from kubeling.objects.clock import FakeClock
from server.storage import Store

KILLS = 6
WRITER = """
import asyncio, os, sys
from kubeling.objects.clock import SystemClock
from server.storage import Limits, Store

async def write(store, writer):
    name = f"counter-{writer}"
    record = store.get("counters", "ns", name)
    value = record.obj["value"] if record else 0
    if record is None:
        await store.create("counters", "ns", name, {"metadata": {"name": name}, "value": 0})
    while True:
        value += 1
        obj = {"metadata": {"name": name}, "value": value, "filling": "x" * (value % 7 * 500)}
        record = await store.update("counters", "ns", name, obj, expected=None)
        os.write(1, f"{writer} {value} {record.revision}\\n".encode())

async def compact(store):
    while True:
        await asyncio.sleep(0.02)
        await store.compact(store.revision - 100)

async def main():
    store = await Store.open(sys.argv[1], clock=SystemClock(), limits=Limits(batch=5))
    await asyncio.gather(compact(store), *(write(store, writer) for writer in range(16)))

asyncio.run(main())
"""


def write_until_killed(datastore: str, *, acknowledged: int) -> dict[str, tuple[int, int]]:
    """Each writer's last acknowledged value and its revision."""
    last: dict[str, tuple[int, int]] = {}
    with subprocess.Popen([sys.executable, "-c", WRITER, datastore], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for count, line in enumerate(child.stdout):
            if count == acknowledged:
                child.kill()
            if line.endswith(b"\n"):
                writer, value, revision = line.decode().split()
                last[writer] = (int(value), int(revision))
    return last


@pytest.mark.timeout(300)
async def test_acknowledged_writes_survive_being_killed(datastore: str) -> None:
    chance, revision = random.Random(0), 0
    for _ in range(KILLS):
        last = write_until_killed(datastore, acknowledged=chance.randrange(200, 1500))
        assert last
        store = await Store.open(datastore, clock=FakeClock())
        for writer, (value, reached) in last.items():
            record = store.get("counters", "ns", f"counter-{writer}")
            assert record is not None
            assert record.obj["value"] >= value
            assert record.revision >= reached
        assert store.revision > revision
        revision = store.revision
        await log_is_whole(store)
        await store.close()


async def log_is_whole(store: Store) -> None:
    """Every retained revision is there, once."""
    found: list[int] = []
    async with store.watch("counters", since=store.compacted_revision) as watch:
        while watch.revision < store.revision:
            found += [event.revision for event in await anext(watch)]
    assert found == list(range(store.compacted_revision + 1, store.revision + 1))
