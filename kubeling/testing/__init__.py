"""Clusters for tests of clients, controllers and operators.

`cluster` is one in the test's own process, on a clock that the test advances; the pytest fixtures
(`kubeling.testing.plugin`) give one of processes. docs/testing.md shows both.

Importing this costs nothing: what a cluster needs is imported when one is made.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kubeling.testing.inprocess import Cluster

__all__ = ["cluster"]


@asynccontextmanager
async def cluster(
    *,
    clock: Literal["manual", "real"] = "manual",
    virtual_nodes: int = 1,
    start: datetime | None = None,
    directory: Path | None = None,
) -> AsyncIterator["Cluster"]:
    """A whole cluster in this process: API server over HTTPS, controllers, scheduler, virtual nodes.

    On the manual clock time stands still at `start` (now, if not given) until `advance` moves it. State
    lies in `directory`, a temporary one if none is given.
    """
    from kubeling.testing import inprocess

    async with inprocess.running(
        manual=clock == "manual", virtual_nodes=virtual_nodes, start=start, directory=directory
    ) as running:
        yield running
