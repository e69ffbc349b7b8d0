"""How long the server's store takes to be ready with many objects, and what each costs in memory.

    python -m bench.startup_objects [--objects N] [--datastore URL] [--json]

The reference, in a process of its own as well, is a bare SELECT of the same rows and orjson.loads of each.
"""

import json
import subprocess
import sys
import tempfile
from typing import Annotated, Any

import typer
import uvloop

from bench.report import Row, show
from bench.storage import fill
from kubeling.objects.clock import SystemClock
from server.storage import Store

OPEN = """
import asyncio, gc, json, sys, time
from kubeling.objects.clock import SystemClock
from server.storage import Store

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

async def main():
    before, start = resident(), time.perf_counter()
    store = await Store.open(sys.argv[1], clock=SystemClock())
    took = time.perf_counter() - start
    count, size = 0, 0
    for resource in ("fill",):
        for record in store.list(resource):
            count, size = count + 1, size + len(record.body)
    gc.collect()
    print(json.dumps([took, resident() - before, count, size]))
    await store.close()

asyncio.run(main())
"""
BARE = """
import json, sys, time
import orjson
from server.storage.database import database

chosen = database(sys.argv[1])
chosen.attach()
start = time.perf_counter()
with chosen.connect() as connection:
    found = [orjson.loads(row[0]) for row in connection.exec_driver_sql("SELECT body FROM revisions")]
print(json.dumps([time.perf_counter() - start, 0, len(found), 0]))
"""


def main(
    objects: Annotated[int, typer.Option(help="How many, of about 2 KiB each.")] = 100_000,
    datastore: Annotated[str, typer.Option(help="An empty database.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Seeds a database, then opens it three times; the fastest counts."""
    with tempfile.TemporaryDirectory(prefix="bench-objects-") as place:
        url = datastore or f"sqlite:///{place}/objects.db"
        uvloop.run(_seed(url, objects))
        opened, bare = (min(_measured(script, url) for _ in range(3)) for script in (OPEN, BARE))
    show({f"{opened[2]} objects": _rows(opened, bare)}, as_json=as_json)


def _rows(opened: list[Any], bare: list[Any]) -> list[Row]:
    took, resident, count, size = opened
    return [
        {"what": "Store.open", "value": took, "unit": "s"},
        {"what": "SELECT and orjson.loads", "value": bare[0], "unit": "s"},
        {"what": "ratio", "value": took / bare[0], "unit": ""},
        {"what": "memory per object", "value": resident / count, "unit": "bytes"},
        {"what": "of which JSON", "value": size / count, "unit": "bytes"},
    ]


async def _seed(url: str, objects: int) -> None:
    store = await Store.open(url, clock=SystemClock())
    await fill(store, objects)
    await store.close()


def _measured(script: str, url: str) -> list[Any]:
    command = [sys.executable, "-c", script, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    typer.run(main)
