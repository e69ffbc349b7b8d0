"""A cluster in the test's process and event loop: the server's parts, and virtual nodes beside them.

Whoever talks to it over HTTPS from the same thread must not block the loop: use `asyncio.to_thread`, or
another process.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubeling.client.protocol import Client
from kubeling.client.resources import NAMESPACES, NODES, PODS
from kubeling.cluster.decide import Wishes
from kubeling.cluster.home import Home
from kubeling.cluster.kubeconfig import server_url
from kubeling.cluster.prepare import prepare
from kubeling.cluster.settings import Settings
from kubeling.objects.clock import Clock, FakeClock, SystemClock, let_others_run
from kubeling.objects.meta import Object
from runtime.node.api.listener import Listener, ListenSettings
from runtime.virtual.agent import Informers, VirtualAgent, Wanted
from runtime.virtual.api import VirtualApi
from runtime.virtual.config import Config as VirtualConfig
from runtime.virtual.config import read_config
from runtime.virtual.node_object import NodeShape, is_virtual
from runtime.virtual.wishes import LOST
from server.config import load
from server.inprocess import LocalClient
from server.main import Running, run
from server.registry.context import SYSTEM

QUIET_ROUNDS = 3
"""So many looks in a row must find nothing to do."""
SETTLE_TIMEOUT = 60.0
"""Real seconds."""
WATCHERS_TURNS, TURN = 40, 0.0005
"""Turns of the event loop that somebody who watches over HTTPS gets to answer what was told, and the real
seconds of each at least: on a busy machine turns take longer, and so does he."""


class NotSettled(AssertionError):
    """Something goes on and on; the text says what."""


@dataclass(slots=True)
class _Parts:
    server: Running
    nodes: VirtualAgent


class Cluster:
    """What a test has of it. `client` is the administrator's, without HTTPS between."""

    def __init__(self, home: Home, settings: Settings, clock: Clock, client: Client, parts: _Parts) -> None:
        self.clock = clock
        self.client = client
        self.kubeconfig = home.admin_kubeconfig
        self.url = server_url(settings)
        self._parts = parts

    async def settled(self) -> None:
        """Wait until nothing is left to do at this moment; what waits for its time waits on.

        Raises:
            NotSettled: after a minute there is still something to do.
        """
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await self._settle()
        except TimeoutError as error:
            raise NotSettled(f"busy for {SETTLE_TIMEOUT:.0f} s: {', '.join(self._busy())}") from error

    async def advance(
        self, delta: timedelta | None = None, *, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the clock: each timer that becomes due acts at its own moment, and all that follows is done.

        Raises:
            TypeError: the cluster runs on the real clock.
        """
        if not isinstance(self.clock, FakeClock):
            raise TypeError("only a manual clock can be advanced")
        delta = (delta or timedelta()) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        await self.clock.advance(delta.total_seconds())

    async def do(self, request: Awaitable[Object]) -> Object:
        """Make a request of `client`, and let everything follow that follows from it."""
        answer = await request
        await self.settled()
        return answer

    async def namespace(self, name: str) -> str:
        """A new namespace, in which pods may be created."""
        await self.do(
            self.client.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        )
        return name

    async def lose_node(self, name: str) -> None:
        """A virtual node falls silent."""
        await self._annotate(name, "true")

    async def find_node(self, name: str) -> None:
        """A node that was lost is there again."""
        await self._annotate(name, None)

    async def _annotate(self, name: str, lost: str | None) -> None:
        await self.do(self.client.patch(NODES, name, {"metadata": {"annotations": {LOST: lost}}}))

    async def _settle(self) -> None:
        quiet, store = 0, self._parts.server.store
        while quiet < QUIET_ROUNDS:
            revision = store.revision
            await let_others_run()
            if not store.idle:
                await asyncio.sleep(0.0005)  # the writer's thread is at work
            elif quiet == QUIET_ROUNDS - 1 and self._parts.server.watchers():
                await _let_watchers_answer()
            quiet = quiet + 1 if not self._busy() and store.revision == revision else 0

    def _busy(self) -> list[str]:
        """Whose work is not done."""
        idle = {
            "storage": self._parts.server.store.idle,
            "the server": self._parts.server.idle(),
            "virtual nodes": self._parts.nodes.idle,
        }
        return [name for name, is_idle in idle.items() if not is_idle]


async def _let_watchers_answer() -> None:
    for _ in range(WATCHERS_TURNS):
        await asyncio.sleep(TURN)


@asynccontextmanager
async def running(
    *, manual: bool, virtual_nodes: int, start: datetime | None, directory: Path | None
) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as parts:
        root = directory or Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="kubeling-")))
        home = Home(root=root / "home", state=root / "state")
        home.create()
        settings = await asyncio.to_thread(prepare, home, _wishes(root, virtual_nodes))
        clock: Clock = (
            FakeClock(start or datetime.now(UTC).replace(microsecond=0)) if manual else SystemClock()
        )
        cluster = await _started(home, settings, clock, parts, virtual_nodes)
        if isinstance(clock, FakeClock):
            clock.settle = cluster.settled
        await cluster.settled()
        yield cluster


def _wishes(root: Path, virtual_nodes: int) -> Wishes:
    return Wishes(
        port=0, node=False, virtual_nodes=max(virtual_nodes, 1), user_kubeconfig=root / "kubeconfig"
    )


async def _started(
    home: Home, settings: Settings, clock: Clock, parts: AsyncExitStack, virtual_nodes: int
) -> Cluster:
    manual = isinstance(clock, FakeClock)
    config = replace(load(home.server_config), listen="127.0.0.1")
    server = await run(
        config, parts, clock=clock, housekeeping=SystemClock(), vouched=_lives if manual else None
    )
    client = LocalClient(server.registry, server.store, user=SYSTEM)
    parts.push_async_callback(client.close)
    virtual = read_config(home.virtual_config)
    shape = NodeShape(virtual.address, virtual.port, virtual.cpu, virtual.memory)
    agent = VirtualAgent(
        client,
        Informers(nodes=client.informer(NODES), pods=client.informer(PODS)),
        Wanted(virtual_nodes, shape, silent=manual),
        clock=clock,
    )
    parts.push_async_callback(agent.stop)
    await _listen(virtual, agent, clock, parts)
    await agent.start()
    return Cluster(home, settings, clock, client, _Parts(server, agent))


def _lives(node: Object) -> bool:
    """A virtual node that was not told to fall silent."""
    return is_virtual(node) and (node["metadata"].get("annotations") or {}).get(LOST) != "true"


async def _listen(config: VirtualConfig, agent: VirtualAgent, clock: Clock, parts: AsyncExitStack) -> None:
    """Answer `kubectl logs` and `exec`."""
    settings = ListenSettings(
        host="0.0.0.0",
        port=config.port,
        certificate=config.serving.certificate,
        key=config.serving.key,
        client_ca=config.client_ca,
    )
    listener = Listener(settings, VirtualApi(agent.pods, clock, agent.nodes.names).handler())
    await listener.start()
    parts.push_async_callback(listener.stop)
