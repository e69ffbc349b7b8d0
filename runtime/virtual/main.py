"""The process of virtual nodes: configuration, logging, signals, exit codes.

SIGTERM and SIGINT end it; the pods stay in the API, and the next start takes them over. Exit codes: 0 after
a signal, 1 when the configuration does not allow it to run.
"""

import argparse
import asyncio
import gc
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kubeling.client.errors import ConnectionLost
from kubeling.client.informer import CachedInformer
from kubeling.client.resources import NODES, PODS
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import ApiError
from kubeling.objects.logs import log_to_stderr
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.errors import NodeError
from runtime.virtual.config import Config, read_config
from runtime.virtual.node_object import LABEL
from runtime.virtual.wishes import LOST

if TYPE_CHECKING:
    from kubeling.client.http import HttpClient

logger = logging.getLogger(__name__)

FIRST_LOOKS = 0.03
"""Seconds between attempts to reach the server."""
CONNECTIONS = 20
"""When a thousand pods change at once, each new connection costs more than its request."""
BOUND = "spec.nodeName!="
"""Pods that are bound to a node."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="runtime.virtual", description="kubeling's virtual nodes")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    log_to_stderr()
    try:
        config = read_config(options.config)
        _run(config)
    except (NodeError, ValueError) as error:  # ValueError: a kubeconfig that cannot be used
        logger.error("cannot start: %s", error)
        return 1
    return 0


def _run(config: Config) -> None:
    import uvloop

    gc.set_threshold(20_000, 50, 20)
    uvloop.run(_serve(config))


async def _serve(config: Config) -> None:
    from kubeling.client.http import HttpClient
    from runtime.node.api.listener import Listener, ListenSettings
    from runtime.virtual.agent import Informers, VirtualAgent, Wanted
    from runtime.virtual.api import VirtualApi
    from runtime.virtual.node_object import NodeShape

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    clock = SystemClock()
    shape = NodeShape(config.address, config.port, config.cpu, config.memory)
    async with (
        HttpClient.from_kubeconfig(
            config.kubeconfig, clock=clock, user_agent="kubelet", connections=CONNECTIONS
        ) as client,
        Tasks("informers") as tasks,
    ):
        await _until_served(client, clock)
        nodes = CachedInformer(client, NODES, clock=clock, transform=essence)
        pods = CachedInformer(client, PODS, clock=clock, field_selector=BOUND, transform=unmanaged)
        for informer in (nodes, pods):
            tasks.start(informer.run(tasks), name="informer")
        informers = Informers(nodes, pods)
        wanted = Wanted(config.nodes, shape, config.latency)
        agent = VirtualAgent(client, informers, wanted, clock=clock)
        listener = Listener(
            ListenSettings(
                host=config.listen,
                port=config.port,
                certificate=config.serving.certificate,
                key=config.serving.key,
                client_ca=config.client_ca,
            ),
            VirtualApi(agent.pods, clock).handler(),
        )
        await listener.start()
        starting = tasks.start(agent.start(), name="start")
        await stopping.wait()
        starting.cancel()
        await listener.stop()
        await agent.stop()


async def _until_served(client: "HttpClient", clock: Clock) -> None:
    """Both processes are started at the same time; informers would wait longer between their attempts."""
    while True:
        try:
            await client.request("GET", "/version")
        except ApiError:
            return
        except ConnectionLost:
            await clock.sleep(FIRST_LOOKS)
        else:
            return


def unmanaged(obj: Object) -> Object:
    """Without managedFields: they are half of an object, and nobody here reads them."""
    obj["metadata"].pop("managedFields", None)
    return obj


def essence(node: Object) -> Object:
    """What of a Node is needed here, where there are thousands of them."""
    metadata, status = node["metadata"], node.get("status") or {}
    kept: Object = {key: metadata[key] for key in ("name", "uid", "resourceVersion")}
    for key, wanted in (("labels", LABEL), ("annotations", LOST)):
        kept[key] = {wanted: said} if (said := (metadata.get(key) or {}).get(wanted)) else {}
    return {
        "metadata": kept,
        "spec": {"podCIDR": (node.get("spec") or {}).get("podCIDR") or ""},
        "status": {key: status[key] for key in ("capacity", "allocatable", "conditions") if key in status},
    }
