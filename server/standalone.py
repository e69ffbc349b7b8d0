"""Control loops in a process of their own: over HTTP, until a signal comes, leading if asked to.

What the entry points of `server.controllers` and `server.scheduler` have in common. It knows the client only.
"""

import argparse
import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from kubeling.client import Client, ConnectionLost, EventRecorder, HttpClient, KubeconfigError
from kubeling.client.kubeconfig import Connection, read_connection
from kubeling.client.leader_election import LeaderElection
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import ApiError
from kubeling.objects.logs import log_to_stderr
from kubeling.objects.tasks import Tasks

logger = logging.getLogger("server")

Fence = Callable[[Client], Client]
Begin = Callable[[AsyncExitStack, HttpClient, Fence], Awaitable[None]]
"""Begins the loops with a client of their own; each client that writes goes through the fence first."""
_RETRY_SECONDS = 1.0


def arguments(program: str, description: str) -> argparse.ArgumentParser:
    """A parser with what every such process takes, in upstream's words."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="whom to speak to, and as whom")
    parser.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="act only while holding the lease in kube-system (default: yes)",
    )
    return parser


def main(component: str, options: argparse.Namespace, begin: Begin) -> int:
    """Run the loops; the process's exit code."""
    log_to_stderr()
    try:
        connection = read_connection(options.kubeconfig)
    except KubeconfigError as error:
        logger.error("cannot start: %s", error)
        return 1
    import uvloop

    uvloop.run(_serve(component, connection, begin, elect=options.leader_elect))
    return 0


async def _serve(component: str, connection: Connection, begin: Begin, *, elect: bool) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as parts, Tasks(component) as tasks:
        process = _Process(component, connection, begin, SystemClock())
        tasks.start(process.elect(parts) if elect else process.start(parts), name="start")
        await stopping.wait()
        logger.info("stopping")


@dataclass(frozen=True, slots=True)
class _Process:
    component: str
    connection: Connection
    begin: Begin
    clock: Clock

    def client(self) -> HttpClient:
        return HttpClient(self.connection, user_agent=self.component)

    async def start(self, parts: AsyncExitStack) -> None:
        """Begin as soon as the server lets us."""
        client = await parts.enter_async_context(self.client())
        while True:
            try:
                await self.begin(parts, client, lambda each: each)
            except (ApiError, ConnectionLost) as error:
                logger.warning("cannot begin, trying again: %s", error)
                await self.clock.sleep(_RETRY_SECONDS)
            else:
                return

    async def elect(self, parts: AsyncExitStack) -> None:
        """Begin whenever this process comes to lead, each time with new informers."""
        client = await parts.enter_async_context(self.client())
        recorder = EventRecorder(client, self.component, clock=self.clock)
        parts.push_async_callback(recorder.close)

        async def lead(term: AsyncExitStack) -> None:
            await self.begin(term, await term.enter_async_context(self.client()), election.fenced)

        election = LeaderElection(client, self.component, lead, clock=self.clock, recorder=recorder)
        parts.push_async_callback(election.stop)
        election.start()
