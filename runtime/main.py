"""The node agent's process: configuration, logging, signals, exit codes.

    SIGTERM   the agent alone ends; containers and containerd go on, the next agent adopts them
    SIGINT    the node is shut down; the next start brings its pods back

Exit codes: 0 after a signal, 1 when the machine or the configuration does not allow it to run.
"""

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from kubeling.objects.logs import log_to_stderr
from kubeling.objects.tasks import Tasks
from runtime import lock
from runtime.config import Config, read_config
from runtime.errors import NodeError

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="runtime", description="kubeling's node agent")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    log_to_stderr()
    os.umask(0o022)  # containers and collectors of logs read what is made here, whoever has started the node
    try:
        config = read_config(options.config)
        if os.geteuid() != 0:
            raise NodeError("the node agent needs root, to run containers: start it with sudo")
        with lock.held(config.root):
            asyncio.run(_serve(config))
    except NodeError as error:
        logger.error("cannot go on: %s", error)
        return 1
    except ValueError as error:  # a kubeconfig that cannot be used
        logger.error("cannot start: %s", error)
        return 1
    return 0


async def _serve(config: Config) -> None:
    from runtime.node.agent import NodeAgent

    signals = _listen()
    agent = NodeAgent(config)
    async with Tasks("main") as tasks:
        failure: asyncio.Future[NodeError] = asyncio.get_running_loop().create_future()
        tasks.start(_live(agent.run(), failure), name="node")
        waiter = tasks.start(signals.get(), name="signals")
        await asyncio.wait([failure, waiter], return_when=asyncio.FIRST_COMPLETED)
        received = waiter.result() if waiter.done() else None
    if received == signal.SIGINT:
        logger.info("shutting the node down")
        await agent.shut_down()
    else:
        logger.info("the agent ends, containers go on")
        await agent.release()
    if received is None:
        raise failure.result()


async def _live(life: Coroutine[Any, Any, None], failure: "asyncio.Future[NodeError]") -> None:
    try:
        await life
    except NodeError as error:
        failure.set_result(error)
    finally:
        if not failure.done():
            failure.set_result(NodeError("the node agent has ended before its time"))


def _listen() -> "asyncio.Queue[signal.Signals]":
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, received.put_nowait, each)
    return received
