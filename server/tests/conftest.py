"""An API server over HTTPS, complete but for its control loops, with a client to speak to it; stores."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from kubeling.cluster import pki
from kubeling.cluster.keys import Pair, Pki
from kubeling.objects.clock import Clock, FakeClock, SystemClock
from server.config import Config, parse
from server.main import start
from server.storage import Limits, Store
from server.tests.private_postgres import Missing, PrivatePostgres, missing, private_postgres


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class ApiServer:
    """`request` speaks as the administrator unless another token, or "" for nobody, is given."""

    def __init__(self, session: aiohttp.ClientSession, *, url: str, keys: Pki) -> None:
        self.session = session
        self.url = url
        self.keys = keys
        self.streams: list[aiohttp.ClientResponse] = []
        self.stop: Callable[[], Awaitable[None]]
        self.token = keys.token_file.read_text().split(",")[0]

    async def request(
        self, method: str, path: str, *, body: Any = None, token: str | None = None, **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        chosen = self.token if token is None else token
        if chosen:
            sent["Authorization"] = f"Bearer {chosen}"
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        source = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.url + path, data=source, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def stream(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        """An answer that goes on; it is closed with the session."""
        answer = await self.session.get(
            self.url + path, headers={"Authorization": f"Bearer {self.token}", **headers}
        )
        self.streams.append(answer)
        return answer

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.request("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.request("POST", path, body=body, **headers)

    async def make_config_map(self, name: str, **data: str) -> Any:
        answer = await self.post("/api/v1/namespaces/default/configmaps", config_map(name, **data))
        assert answer.status == 201, answer.body
        return answer.json


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("keys") / "pki")
    pki.ensure(made, pki.Subjects("n1", "n1", ("127.0.0.1",), "10.96.0.1"), now=datetime.now(UTC))
    with made.token_file.open("a") as tokens:
        tokens.write('bobs-token,bob,u-bob,"team"\n')
    return made


@pytest.fixture
def config(keys: Pki, tmp_path: Path) -> Config:
    def pair(files: Pair) -> dict[str, str]:
        return {"certificate": str(files.certificate), "key": str(files.key)}

    return parse(
        {
            "home": str(tmp_path),
            "listen": "127.0.0.1",
            "port": 0,
            "advertiseAddress": "192.0.2.1",
            "datastore": f"sqlite:///{tmp_path}/test.db",
            "servingCertificate": pair(keys.server),
            "clientCA": str(keys.authority.certificate),
            "tokenFile": str(keys.token_file),
            "serviceAccountKey": str(keys.service_account_key),
            "kubeletClient": pair(keys.kubelet_client),
            "requestHeaderCA": str(keys.front_proxy_authority.certificate),
            "proxyClient": pair(keys.front_proxy),
        }
    )


@pytest.fixture
async def api(config: Config, keys: Pki) -> AsyncIterator[ApiServer]:
    connector = aiohttp.TCPConnector(ssl=False)
    async with AsyncExitStack() as parts, aiohttp.ClientSession(connector=connector) as session:
        port = await start(config, parts, clock=SystemClock(), loops=False)
        server = ApiServer(session, url=f"https://127.0.0.1:{port}", keys=keys)
        server.stop = parts.aclose
        yield server
        for answer in server.streams:
            answer.close()


OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL server of this session's own."""
    try:
        with private_postgres() as server:
            yield server
    except Missing as why:
        missing(why)


@pytest.fixture(params=["sqlite", "postgresql"])
def datastore(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database's URL. The storage suite runs over each kind that is a parameter here."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/database"
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture
async def open_store(datastore: str) -> AsyncIterator[OpenStore]:
    """Opens stores on the one database, and closes them at the end."""
    async with AsyncExitStack() as stores:

        async def opened(*, clock: Clock | None = None, **limits: Any) -> Store:
            chosen = clock or FakeClock()
            store = await Store.open(datastore, clock=chosen, limits=replace(Limits(), **limits))
            stores.push_async_callback(store.close)
            return store

        yield opened
