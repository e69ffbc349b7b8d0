"""A watcher that is cut off again and again, and what it was told in all: nothing lost or twice.

Not here: who writes, and for how long (`bench.soak`).
"""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_GONE = 410


@dataclass
class Told:
    """What one watcher has seen over all its connections."""

    path: str
    begun: int = 0
    """The version from which on it must be told everything."""
    state: dict[str, int] = field(default_factory=dict)
    """The objects that there are, with their versions."""
    versions: list[int] = field(default_factory=list)
    """Every event's version."""
    disordered: int = 0
    """Events that came twice or out of order."""
    connections: int = 0
    restarts: int = 0
    """How often the history was gone, so that it had to list anew."""

    @property
    def last(self) -> int:
        return self._last

    _last: int = 0

    def begin(self, found: dict[str, Any]) -> None:
        self.state = {name_of(item): version_of(item) for item in found["items"]}
        self.begun = self._last = int(found["metadata"]["resourceVersion"])

    def take(self, event: dict[str, Any]) -> None:
        """One event; a bookmark only says how far all has come.

        Raises:
            Gone: the watch must begin anew.
        """
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            raise Gone(obj)
        version = version_of(obj)
        if kind == "BOOKMARK":
            self.disordered += version < self._last
            self._last = max(self._last, version)
            return
        self.disordered += version <= self._last
        self._last = version
        self.versions.append(version)
        if kind == "DELETED":
            self.state.pop(name_of(obj), None)
        else:
            self.state[name_of(obj)] = version


class Gone(Exception):
    """The history that a watch needs is gone, or it fell behind too far."""


def name_of(obj: dict[str, Any]) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def version_of(obj: dict[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])


async def follow(
    session: aiohttp.ClientSession, told: Told, *, lasts: float, through: asyncio.Future[int]
) -> None:
    """Watch until all up to the version that `through` comes to has been told; each connection is cut after
    about so many seconds, wherever it is then."""
    chosen = random.Random(told.path + str(lasts))
    while True:
        try:
            if not told.connections or told.restarts:
                told.restarts = 0
                told.begin(await _listed(session, told.path))
            while not (through.done() and told.last >= through.result()):
                told.connections += 1
                await _connection(session, told, lasts=chosen.uniform(0.1, 2 * lasts), through=through)
            return
        except Gone:
            told.restarts += 1
            told.disordered += 1


async def _listed(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with session.get(path) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def _connection(
    session: aiohttp.ClientSession, told: Told, *, lasts: float, through: asyncio.Future[int]
) -> None:
    """One watch: ended by the server in good order, or broken off in the middle."""
    query = {"watch": "1", "resourceVersion": str(told.last), "allowWatchBookmarks": "true"}
    if lasts > 1:
        query["timeoutSeconds"] = str(int(lasts))
    separator = "&" if "?" in told.path else "?"
    path = told.path + separator + "&".join(f"{name}={value}" for name, value in query.items())
    try:
        async with asyncio.timeout(lasts + 0.5), session.get(path) as answer:
            if answer.status == _GONE:
                raise Gone
            async for line in answer.content:
                told.take(json.loads(line))
                if through.done() and told.last >= through.result():
                    return
    except (TimeoutError, aiohttp.ClientError):
        return
