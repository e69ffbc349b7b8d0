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
from runtime.virtual.node_object import LABEL, NodeShape
from runtime.virtual.wishes import LOST

if TYPE_CHECKING:
    from kubeling.client.http import HttpClient
    from runtime.node.api.listener import Listener
    from runtime.virtual.agent import VirtualAgent

logger = logging.getLogger(__name__)

FIRST_LOOKS = 0.03
"""Seconds between attempts to reach the server."""
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

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    clock = SystemClock()
    client = HttpClient.from_kubeconfig(config.kubeconfig, clock=clock, user_agent="kubelet")
    async with client, Tasks("virtual-nodes") as tasks:
        await _until_served(client, clock)
        agent = _agent(config, client, clock, tasks)
        listener = _listener(config, agent, clock)
        await listener.start()
        starting = tasks.start(agent.start(), name="start")
        await stopping.wait()
        starting.cancel()
        await listener.stop()
        await agent.stop()


def _agent(config: Config, client: "HttpClient", clock: Clock, tasks: Tasks) -> "VirtualAgent":
    from runtime.virtual.agent import Informers, VirtualAgent, Wanted

    nodes = CachedInformer(client, NODES, clock=clock, transform=essence)
    pods = CachedInformer(client, PODS, clock=clock, field_selector=BOUND, transform=unmanaged)
    for informer in (nodes, pods):
        tasks.start(informer.run(tasks), name="informer")
    shape = NodeShape(config.address, config.port, config.cpu, config.memory)
    wanted = Wanted(config.nodes, shape, config.latency)
    return VirtualAgent(client, Informers(nodes, pods), wanted, clock=clock)


def _listener(config: Config, agent: "VirtualAgent", clock: Clock) -> "Listener":
    from runtime.node.api.listener import Listener, ListenSettings
    from runtime.virtual.api import VirtualApi

    settings = ListenSettings(
        host=config.listen,
        port=config.port,
        certificate=config.serving.certificate,
        key=config.serving.key,
        client_ca=config.client_ca,
    )
    return Listener(settings, VirtualApi(agent.pods, clock, agent.nodes.names).handler())


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
