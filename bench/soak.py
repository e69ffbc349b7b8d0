"""The API server under mixed load for minutes: flat memory, and no watch event lost or told twice.

    python -m bench.soak [--minutes M] [--watchers N] [--json]

Clients create, patch, apply, update and delete, list in chunks and as tables, read discovery and OpenAPI,
send nonsense, and hang up in the middle; watchers are cut off every few seconds and go on where they were.
At the end each watcher must have what a list says, and all events of each other.
Not here: speed (`bench.api`).
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from statistics import mean
from typing import Annotated, Any

import aiohttp
import typer

from bench.measured import Server, cluster
from bench.report import Row, show
from bench.soak_watcher import Told, follow, name_of, version_of

_SPACE = "/api/v1/namespaces/soak"
_MAPS = f"{_SPACE}/configmaps"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/soak/deployments"
_NAMES = 400
"""Objects of each kind: as many as there are names, so that what is stored does not grow."""
_SETTLED = 0.25
"""The part of the run that memory has to settle in."""
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
Act = Callable[["Client"], Awaitable[None]]


class Client:
    def __init__(self, session: aiohttp.ClientSession, number: int) -> None:
        self._session = session
        self.random = random.Random(number)
        self.answers: Counter[int] = Counter()

    async def send(self, method: str, path: str, **options: Any) -> None:
        """One request, whose answer is read and counted."""
        async with self._session.request(method, path, **options) as answer:
            await answer.read()
            self.answers[answer.status] += 1

    def config_map(self) -> dict[str, Any]:
        data = {"text": "x" * self.random.randrange(2000), "number": str(self.random.random())}
        labels = {"group": f"g{self.random.randrange(10)}"}
        return {"metadata": {"name": self.name(), "labels": labels}, "data": data}

    def name(self) -> str:
        return f"object-{self.random.randrange(_NAMES)}"


async def _create(client: Client) -> None:
    await client.send("POST", _MAPS, json=client.config_map())


async def _update(client: Client) -> None:
    body = client.config_map()
    await client.send("PUT", f"{_MAPS}/{body['metadata']['name']}", json=body)


async def _patch(client: Client) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    body = {"metadata": {"labels": {"group": f"g{client.random.randrange(10)}"}}}
    await client.send("PATCH", f"{_MAPS}/{client.name()}", json=body, headers=headers)


async def _apply(client: Client) -> None:
    name = client.name()
    pod = {"containers": [{"name": "main", "image": f"image:{client.random.randrange(5)}"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    path = f"{_DEPLOYMENTS}/{name}?fieldManager=soak-{client.random.randrange(3)}&force=true"
    await client.send("PATCH", path, json=body, headers={"Content-Type": "application/apply-patch+yaml"})


async def _delete(client: Client) -> None:
    collection = _MAPS if client.random.random() < 0.7 else _DEPLOYMENTS
    await client.send("DELETE", f"{collection}/{client.name()}")


async def _read(client: Client) -> None:
    path = client.random.choice(
        (f"{_MAPS}/{client.name()}", f"{_MAPS}?limit=50", f"{_MAPS}?labelSelector=group%3Dg3", _DEPLOYMENTS)
    )
    headers = {"Accept": client.random.choice(("application/json", "application/yaml", _TABLE))}
    await client.send("GET", path, headers=headers if "limit" in path else {})


async def _describe(client: Client) -> None:
    path = client.random.choice(("/api", "/apis", "/openapi/v3", "/openapi/v3/apis/apps/v1", "/version"))
    await client.send("GET", path)


async def _nonsense(client: Client) -> None:
    junk = bytes(client.random.randrange(256) for _ in range(200))
    await client.send("POST", _MAPS, data=junk, headers={"Content-Type": "application/json"})
    await client.send("GET", f"{_MAPS}?labelSelector={junk[:20].hex()}%28&continue=x")


async def _hang_up(client: Client) -> None:
    """Ask for much, and go before it has come."""
    try:
        async with asyncio.timeout(0.01):
            await client.send("GET", _MAPS)
    except TimeoutError:
        return


_ACTS: tuple[tuple[Act, int], ...] = (
    (_create, 20), (_update, 20), (_patch, 20), (_apply, 10), (_delete, 15), (_read, 20), (_describe, 3),
    (_nonsense, 2), (_hang_up, 2),
)  # fmt: skip


def main(
    minutes: Annotated[float, typer.Option(help="How long the load lasts.")] = 10.0,
    watchers: Annotated[int, typer.Option(help="Watchers of each of the four sorts.")] = 10,
    clients: Annotated[int, typer.Option(help="Clients that write and read.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Memory over the run, what was answered, and whether each watcher was told everything once."""
    with cluster() as server:
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "soak"}})
        tables = asyncio.run(_Soak(server, seconds=minutes * 60).run(watchers, clients))
    show(tables, as_json=as_json)


class _Soak:
    def __init__(self, server: Server, *, seconds: float) -> None:
        self._server = server
        self._ends = time.monotonic() + seconds
        self._seconds = seconds
        self._memory: list[tuple[float, float]] = []
        self._told: list[Told] = []

    async def run(self, watchers: int, clients: int) -> dict[str, list[Row]]:
        through: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with self._session() as session:
            acting = [Client(session, number) for number in range(clients)]
            async with asyncio.TaskGroup() as following:
                for path in (_MAPS, f"{_MAPS}?labelSelector=group%3Dg3", _DEPLOYMENTS, "/api/v1/configmaps"):
                    for number in range(watchers):
                        told = Told(path)
                        self._told.append(told)
                        following.create_task(follow(session, told, lasts=1 + number, through=through))
                async with asyncio.TaskGroup() as working:
                    working.create_task(self._sample())
                    for client in acting:
                        working.create_task(self._act(client))
                await self._mark(session, through)
            watched = [await self._verdict(session, told) for told in self._told]
        return {
            f"memory over {self._seconds:g} s": [self._memory_row()],
            "mean of each tenth of that": [self._tenths()],
            "answers": [_answers(acting)],
            "watchers": _summed(self._told, watched),
        }

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            self._server.url,
            headers={"Authorization": f"Bearer {self._server.token}"},
            connector=aiohttp.TCPConnector(ssl=False, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=1 << 24,
        )

    async def _sample(self) -> None:
        began = time.monotonic()
        while (now := time.monotonic()) < self._ends:
            self._memory.append((now - began, self._server.memory()))
            await asyncio.sleep(1)

    async def _act(self, client: Client) -> None:
        acts, weights = zip(*_ACTS, strict=True)
        while time.monotonic() < self._ends:
            (act,) = client.random.choices(acts, weights)
            await act(client)

    async def _mark(self, session: aiohttp.ClientSession, through: asyncio.Future[int]) -> None:
        """The last writes: when a watcher has come to theirs, it must have seen all."""
        labels = {"group": "g3"}
        async with session.post(_MAPS, json={"metadata": {"name": "last", "labels": labels}}) as answer:
            last = version_of(await answer.json())
        through.set_result(last)
        spec = {"selector": {"matchLabels": {"a": "b"}}}
        pod = {"containers": [{"name": "main", "image": "image"}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
        body = {"metadata": {"name": "last"}, "spec": spec | {"template": template}}
        async with session.post(_DEPLOYMENTS, json=body) as answer:
            await answer.read()

    async def _verdict(self, session: aiohttp.ClientSession, told: Told) -> int:
        """How many objects the watcher holds in another state than the server."""
        async with session.get(told.path) as answer:
            items = (await answer.json())["items"]
        listed = {name_of(item): version_of(item) for item in items}
        return len(set(listed.items()) ^ set(told.state.items()))

    def _memory_row(self) -> Row:
        settled = [each for each in self._memory if each[0] >= self._seconds * _SETTLED]
        half = len(settled) // 2
        return {
            "server": "resident",
            "begun MiB": self._memory[0][1],
            "most MiB": max(size for _, size in self._memory),
            "settled MiB": mean(size for _, size in settled[:half]),
            "at the end MiB": mean(size for _, size in settled[half:]),
            "MiB a minute": _slope(settled) * 60,
        }

    def _tenths(self) -> Row:
        parts: dict[int, list[float]] = {}
        for when, size in self._memory:
            parts.setdefault(min(int(when * 10 / self._seconds), 9), []).append(size)
        return {"part": "MiB", **{str(part + 1): mean(sizes) for part, sizes in sorted(parts.items())}}


def _slope(points: list[tuple[float, float]]) -> float:
    middle, level = mean(when for when, _ in points), mean(size for _, size in points)
    spread = sum((when - middle) ** 2 for when, _ in points)
    return sum((when - middle) * (size - level) for when, size in points) / spread if spread else 0.0


def _answers(clients: list[Client]) -> Row:
    counted: Counter[int] = sum((client.answers for client in clients), Counter())
    return {"code": "requests", **{str(code): float(counted[code]) for code in sorted(counted)}}


def _summed(told: list[Told], differing: list[int]) -> list[Row]:
    rows: list[Row] = []
    for path in dict.fromkeys(each.path for each in told):
        same = [(each, odd) for each, odd in zip(told, differing, strict=True) if each.path == path]
        everything = set().union(*(each.versions for each, _ in same))
        missed = sum(
            len({version for version in everything if version > each.begun}.difference(each.versions))
            for each, _ in same
        )
        rows.append(
            {
                "watched": path,
                "watchers": float(len(same)),
                "connections": float(sum(each.connections for each, _ in same)),
                "events": float(len(everything)),
                "lost": float(missed),
                "repeated": float(sum(each.disordered for each, _ in same)),
                "differing": float(sum(odd for _, odd in same)),
            }
        )
    return rows


if __name__ == "__main__":
    typer.run(main)
