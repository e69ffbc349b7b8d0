"""Two API servers on one PostgreSQL, as processes: either is killed under load, and nothing is lost."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from kubeling.cluster.keys import Pair, Pki
from server.tests.private_postgres import PrivatePostgres

MAPS = "/api/v1/namespaces/default/configmaps"
WRITERS = 6
AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Server:
    """One server's process, which can be killed and started again on its port."""

    def __init__(self, datastore: str, keys: Pki, home: Path) -> None:
        home.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"https://127.0.0.1:{self.port}"
        self._config = home / "server.json"
        self._log = home / "log"
        self._config.write_text(json.dumps(configuration(datastore, keys, home, self.port)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "server", "--config", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """In order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def log(self) -> str:
        return self._log.read_text()


def configuration(datastore: str, keys: Pki, home: Path, port: int) -> dict[str, Any]:
    def pair(files: Pair) -> dict[str, str]:
        return {"certificate": str(files.certificate), "key": str(files.key)}

    return {
        "home": str(home),
        "listen": "127.0.0.1",
        "port": port,
        "advertiseAddress": "127.0.0.1",
        "datastore": datastore,
        "servingCertificate": pair(keys.server),
        "clientCA": str(keys.authority.certificate),
        "tokenFile": str(keys.token_file),
        "serviceAccountKey": str(keys.service_account_key),
        "kubeletClient": pair(keys.kubelet_client),
    }


@pytest.fixture
def servers(postgres: PrivatePostgres, keys: Pki, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        url = stack.enter_context(postgres.database())
        pair = (Server(url, keys, tmp_path / "a"), Server(url, keys, tmp_path / "b"))
        for server in pair:
            stack.callback(server.kill)
            server.start()
        yield pair


@pytest.fixture
async def session(keys: Pki) -> AsyncIterator[aiohttp.ClientSession]:
    token = keys.token_file.read_text().split(",")[0]
    connector = aiohttp.TCPConnector(ssl=False)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as made:
        yield made


async def ready(session: aiohttp.ClientSession, server: Server) -> None:
    async with asyncio.timeout(150):
        while True:
            with suppress(*AWAY):
                async with session.get(f"{server.url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


def config_map(name: str, value: int) -> bytes:
    return orjson.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": str(value)}}
    )


class Load:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.acknowledged: dict[str, int] = {}
        self.stopping = False

    async def write(self, name: str, server: Server) -> None:
        async with self._session.post(server.url + MAPS, data=config_map(name, 0)) as answer:
            assert answer.status == 201
        value = 0
        while not self.stopping:
            value += 1
            try:
                await self._put(name, value, server)
            except AWAY:
                await asyncio.sleep(0.02)

    async def _put(self, name: str, value: int, server: Server) -> None:
        async with self._session.put(f"{server.url}{MAPS}/{name}", data=config_map(name, value)) as answer:
            if answer.status == 200:
                self.acknowledged[name] = value
            else:
                assert answer.status in (503, 504), await answer.text()


class Watcher:
    """A client's watch through one server: resumed where it ended, however it ended."""

    def __init__(self, session: aiohttp.ClientSession, server: Server, since: str) -> None:
        self._session = session
        self._server = server
        self.reached = since
        self.seen: list[tuple[int, str, str]] = []
        """Revision, name and value of each event."""

    async def run(self) -> None:
        while True:
            with suppress(*AWAY):
                await self._follow()
            await asyncio.sleep(0.02)

    async def _follow(self) -> None:
        query = {"watch": "1", "resourceVersion": self.reached}
        async with self._session.get(self._server.url + MAPS, params=query) as answer:
            if answer.status == 200:
                async for line in answer.content:
                    if line.endswith(b"\n"):
                        self._take(orjson.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        assert event["type"] in ("ADDED", "MODIFIED"), event
        obj = event["object"]
        self.reached = obj["metadata"]["resourceVersion"]
        if obj["metadata"]["name"].startswith("w-"):
            self.seen.append((int(self.reached), obj["metadata"]["name"], obj["data"]["value"]))


async def newest(session: aiohttp.ClientSession, server: Server) -> tuple[str, dict[str, int]]:
    async with session.get(server.url + MAPS) as answer:
        found = await answer.json()
    maps = {item["metadata"]["name"]: item for item in found["items"]}
    values = {name: int(item["data"]["value"]) for name, item in maps.items() if name.startswith("w-")}
    return found["metadata"]["resourceVersion"], values


async def test_what_one_server_acknowledged_the_other_shows_at_once(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    for server in servers:
        await ready(session, server)
    for number in range(20):
        writer, reader = servers[number % 2], servers[1 - number % 2]
        async with session.post(writer.url + MAPS, data=config_map(f"w-{number}", number)) as answer:
            assert answer.status == 201
        async with session.get(f"{reader.url}{MAPS}/w-{number}") as answer:
            assert (await answer.json())["data"] == {"value": str(number)}
        async with session.delete(f"{reader.url}{MAPS}/w-{number}") as answer:
            assert answer.status == 200
        assert await newest(session, writer) == await newest(session, reader)


@pytest.mark.timeout(180)
async def test_killing_either_server_under_load_loses_nothing(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    for server in servers:
        await ready(session, server)
    since, _ = await newest(session, servers[0])
    load = Load(session)
    watchers = [Watcher(session, server, since) for server in servers]
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(watcher.run()) for watcher in watchers]
        writers = [group.create_task(load.write(f"w-{n}", servers[n % 2])) for n in range(WRITERS)]
        for number in range(4):
            await asyncio.sleep(0.7)
            servers[number % 2].kill()
            servers[number % 2].start()
            await ready(session, servers[number % 2])
        load.stopping = True
        await asyncio.wait(writers)
        _, values = await newest(session, servers[0])
        await all_seen(watchers, values)
        for task in watching:
            task.cancel()
    assert len(load.acknowledged) == WRITERS
    assert all(values[name] >= value for name, value in load.acknowledged.items())
    assert watchers[0].seen == watchers[1].seen
    revisions = [revision for revision, _, _ in watchers[0].seen]
    assert revisions == sorted(set(revisions))
    for name, value in values.items():
        history = [int(seen) for _, other, seen in watchers[0].seen if other == name]
        assert history == sorted(set(history))
        assert history[-1] == value


async def all_seen(watchers: list[Watcher], values: dict[str, int]) -> None:
    async with asyncio.timeout(30):
        for watcher in watchers:
            while {name: int(value) for _, name, value in watcher.seen} != values:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
