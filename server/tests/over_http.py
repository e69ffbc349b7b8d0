"""A server that clients reach over HTTP, its administrator's client, and control loops apart from it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeling.client import HttpClient
from kubeling.client.kubeconfig import Connection
from kubeling.cluster import pki
from kubeling.cluster.keys import Pki
from kubeling.objects.clock import SystemClock
from server.config import Config, parse
from server.controllers import API_SERVER, Settings, start_controllers
from server.controllers.start import CONTROLLERS, MANAGER
from server.main import start
from server.scheduler import start_scheduler


class Server:
    """An API server without control loops, that can be stopped and started again on its port."""

    def __init__(self, home: Path) -> None:
        self.keys = Pki(home / "pki")
        self.port = 0
        self._home = home
        self._parts = AsyncExitStack()
        pki.ensure(self.keys, pki.Subjects("n", "n", (), "10.96.0.1"), now=datetime.now(UTC))
        with self.keys.token_file.open("a") as tokens:
            for name in ("system:kube-controller-manager", "system:kube-scheduler"):
                tokens.write(f"{name},{name},{name}\n")
            for name in {account for account, _ in CONTROLLERS if account not in (MANAGER, API_SERVER)}:
                groups = "system:serviceaccounts,system:serviceaccounts:kube-system"
                tokens.write(f'{name},system:serviceaccount:kube-system:{name},{name},"{groups}"\n')

    async def start(self) -> None:
        self.port = await start(self.config(), self._parts, clock=SystemClock(), loops=False)

    async def stop(self) -> None:
        await self._parts.aclose()
        self._parts = AsyncExitStack()

    def connection(self, *, port: int | None = None) -> Connection:
        return Connection(
            f"https://127.0.0.1:{port or self.port}",
            authority=self.keys.authority.certificate.read_bytes(),
            certificate=self.keys.admin.certificate.read_bytes(),
            key=self.keys.admin.key.read_bytes(),
        )

    def connection_of(self, name: str) -> Connection:
        """As a component, or as a controller's service account."""
        authority = self.keys.authority.certificate.read_bytes()
        return Connection(f"https://127.0.0.1:{self.port}", authority=authority, token=name)

    def config(self) -> Config:
        keys = self.keys
        return parse(
            {
                "home": str(self._home),
                "listen": "127.0.0.1",
                "port": self.port,
                "advertiseAddress": "127.0.0.1",
                "datastore": f"sqlite:///{self._home}/test.db",
                "servingCertificate": {
                    "certificate": str(keys.server.certificate),
                    "key": str(keys.server.key),
                },
                "clientCA": str(keys.authority.certificate),
                "tokenFile": str(keys.token_file),
                "serviceAccountKey": str(keys.service_account_key),
                "kubeletClient": {
                    "certificate": str(keys.kubelet_client.certificate),
                    "key": str(keys.kubelet_client.key),
                },
                "podCIDR": "10.244.0.0/16",
                "serviceCIDR": "10.96.0.0/12",
            }
        )


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[HttpClient]:
    async with HttpClient(server.connection()) as client:
        yield client


class Components:
    """The control loops as processes of their own run them: over HTTP, with no rights but their roles'."""

    def __init__(self, server: Server, admin: HttpClient) -> None:
        self._server = server
        self._admin = admin
        self._stack = AsyncExitStack()

    async def start(self, *, scheduler: bool = False) -> None:
        manager = self._client("system:kube-controller-manager")
        settings = Settings(certificate_authority="PEM")
        controllers = start_controllers(manager, settings=settings, act_as=self._act_as)
        self._stack.push_async_callback(controllers.stop)
        if scheduler:
            started = start_scheduler(self._client("system:kube-scheduler"))
            self._stack.push_async_callback(started.stop)

    async def stop(self) -> None:
        await self._stack.aclose()

    def _act_as(self, account: str) -> HttpClient:
        return self._admin if account == API_SERVER else self._client(account)

    def _client(self, name: str) -> HttpClient:
        client = HttpClient(self._server.connection_of(name))
        self._stack.push_async_callback(client.close)
        return client


@pytest.fixture
async def components(server: Server, client: HttpClient) -> AsyncIterator[Components]:
    components = Components(server, client)
    yield components
    await components.stop()


async def eventually(happened: Callable[[], object], *, seconds: float = 10) -> None:
    """Real time passes here, for the server is real."""
    clock = SystemClock()
    async with asyncio.timeout(seconds):
        while not happened():
            await clock.sleep(0.002)
