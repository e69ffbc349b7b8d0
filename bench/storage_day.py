"""How large the database grows under a day of what a quiet cluster writes: Leases and Events.

    python -m bench.storage_day [--nodes N] [--hours H] [--datastore URL] [--json]

The clock is injected, so a day takes about a minute. Beside the size (up to 16 MiB of it are SQLite's log)
stands what the same writes take if no history is forgotten, and what the live objects take alone.
"""

import asyncio
import tempfile
from collections import deque
from typing import Annotated, Any

import typer

from bench.report import Row, show
from kubeling.objects.clock import FakeClock
from server.storage import Store

PERIOD = 10.0
"""Seconds between two renewals of a node's Lease."""
EVENTS_LIVE = 3600.0


def main(
    nodes: Annotated[int, typer.Option(help="Nodes that renew a Lease every 10 s.")] = 10,
    hours: Annotated[int, typer.Option(help="How long.")] = 24,
    datastore: Annotated[str, typer.Option(help="An empty database.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Size and history, hour by hour."""
    with tempfile.TemporaryDirectory(prefix="bench-day-") as place:
        rows = asyncio.run(_live(datastore or f"sqlite:///{place}/day.db", nodes=nodes, hours=hours))
    show({f"{nodes} nodes, a Lease every 10 s, an Event every 10 s kept for an hour": rows}, as_json=as_json)


async def _live(url: str, *, nodes: int, hours: int) -> list[Row]:
    clock, events = FakeClock(), deque[str]()
    store = await Store.open(url, clock=clock)
    rows: list[Row] = []
    written = 0
    for node in range(nodes):
        await store.create("leases", "kube-node-lease", f"node-{node}", _lease(node, 0))
    for step in range(int(hours * 3600 / PERIOD)):
        written += await _step(store, events, nodes=nodes, step=step)
        await clock.advance(PERIOD)
        if (step + 1) * PERIOD % 3600 == 0:
            await store.compact(0)  # waits for the one that runs
            rows.append(await _row(store, hour=len(rows) + 1, written=written))
    await store.close()
    return rows


async def _step(store: Store, events: deque[str], *, nodes: int, step: int) -> int:
    """One period's writes; their bytes."""
    leases = [_lease(node, step) for node in range(nodes)]
    records = await asyncio.gather(
        *(
            store.update("leases", "kube-node-lease", lease["metadata"]["name"], lease, expected=None)
            for lease in leases
        )
    )
    name = f"event-{step}"
    events.append(name)
    written = [*records, await store.create("events", "default", name, _event(name))]
    if len(events) > EVENTS_LIVE / PERIOD:
        written.append(await store.delete("events", "default", events.popleft(), expected=None))
    return sum(len(record.body) for record in written)


async def _row(store: Store, *, hour: int, written: int) -> Row:
    usage = await store.usage()
    live = sum(len(record.body) for resource in usage.objects for record in store.list(resource))
    return {
        "after": f"{hour} h",
        "database MiB": (usage.size or 0) / 2**20,
        "all that was written MiB": written / 2**20,
        "live objects MiB": live / 2**20,
        "history revisions": float(usage.revision - usage.compacted),
    }


def _lease(node: int, step: int) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": f"node-{node}", "namespace": "kube-node-lease", "uid": f"uid-{node}"},
        "spec": {"holderIdentity": f"node-{node}", "leaseDurationSeconds": 40, "renewTime": str(step)},
    }


def _event(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web-0"},
        "reason": "Scheduled",
        "message": "Successfully assigned default/web-0 to node-0" + " and so on" * 20,
        "type": "Normal",
    }


if __name__ == "__main__":
    typer.run(main)
