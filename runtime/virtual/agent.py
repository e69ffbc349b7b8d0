"""Puts the virtual nodes together: one client, one watch of nodes, one of pods, workers for the pods.

`run` is their life; `stop` ends it and leaves everything in the API as it is, for the next start to take
over.
"""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

from kubeling.client.alarms import Alarms
from kubeling.client.event_recorder import EventRecorder
from kubeling.client.protocol import Client, Informer
from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.context import NodeContext
from runtime.virtual.addresses import Serials
from runtime.virtual.events import MANY_NODES, Allowance, NodeEvents
from runtime.virtual.images import VirtualPuller
from runtime.virtual.node_object import NodeShape
from runtime.virtual.nodes import VirtualNode, VirtualNodes
from runtime.virtual.payload import NoFiles, VirtualTokens, VirtualVolumes, http_get
from runtime.virtual.pods import VirtualPods
from runtime.virtual.probing import VirtualProbing
from runtime.virtual.runtime import Shared, VirtualRuntime
from runtime.virtual.sources import SharedSources
from runtime.virtual.timers import Timers


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many nodes, what they are like, and how long a pod takes to start (seconds)."""

    count: int
    shape: NodeShape
    latency: float = 0.0
    silent: bool = False
    """Whether they give no signs of life, for the control plane takes their word that they live."""


@dataclass(frozen=True, slots=True)
class Informers:
    """Of all nodes, and of the pods that are bound to any."""

    nodes: Informer
    pods: Informer


class VirtualAgent:
    """Make it in a running event loop. The client stays open: it is the caller's."""

    def __init__(self, client: Client, informers: Informers, wanted: Wanted, *, clock: Clock) -> None:
        self._wanted = wanted
        self._informers = informers
        self._tasks = Tasks("virtual")
        self._recorder = EventRecorder(client, "kubelet", clock=clock)
        few = wanted.count <= MANY_NODES
        self._allowance = Allowance(clock) if few else Allowance(clock, burst=0)
        self.pods = VirtualPods(informers.pods, clock, self._tasks, self._context)
        self.nodes = VirtualNodes(
            client, informers.nodes, clock, self._tasks, wanted.shape, silent=wanted.silent
        )
        timers = Timers(clock, self._tasks)
        self._shared = Shared(
            clock=clock,
            timers=timers,
            serials=Serials(secrets.token_hex(24)),
            pod=self.pods.pod,
            ended=self.pods.container_ended,
            slow=self.pods.slow,
            latency=wanted.latency,
        )
        self._parts = _Parts(
            client=client,
            clock=clock,
            puller=VirtualPuller(clock, self.pods.pod),
            sources=SharedSources(client, self.pods.sources_changed),
            services=_NoServices(),
            alarms=Alarms[tuple[str, str]](clock, self._tasks, self.pods.wake),
            starts=asyncio.Semaphore(1_000_000),
        )

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do at this moment; what waits for its time does not count."""
        return self.nodes.idle and self.pods.idle

    async def start(self) -> None:
        """Returns when every node is registered."""
        await self._informers.nodes.wait_synced()
        self.nodes.start(came=self.pods.node_came, lost=self.pods.node_lost)
        await asyncio.sleep(0)  # the handlers have been told of the nodes that were there
        self.pods.start()
        await self.nodes.register(self._wanted.count)

    async def stop(self) -> None:
        await self.pods.stop()
        await self._tasks.stop()
        await self._recorder.close()

    def _context(self, node_name: str) -> NodeContext | None:
        node = self.nodes.get(node_name)
        if node is None:
            return None
        if node.context is None:
            node.context = self._new_context(node)
        return node.context

    def _new_context(self, node: VirtualNode) -> NodeContext:
        parts, shape = self._parts, self._wanted.shape
        return NodeContext(
            runtime=VirtualRuntime(self._shared, node.pool),
            client=parts.client,
            clock=parts.clock,
            recorder=NodeEvents(self._recorder, self._allowance, node.name, silent=self.pods.is_lost),
            puller=parts.puller,
            sources=parts.sources,
            services=parts.services,
            volumes=_VOLUMES,
            tokens=_TOKENS,
            alarms=parts.alarms,
            root=Path("/"),
            node_name=node.name,
            host_ips=(shape.address,),
            rules=ResourceRules(memory_capacity=quantity.value(shape.memory)),
            allocatable=shape.capacity,
            sandbox_starts=parts.starts,
            files=_FILES,
            probing=VirtualProbing,
            http_get=http_get,
            kubelet=_KUBELET,
            instant=True,
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the pods of all nodes share."""

    client: Client
    clock: Clock
    puller: VirtualPuller
    sources: SharedSources
    services: Informer
    alarms: Alarms[tuple[str, str]]
    starts: asyncio.Semaphore


_KUBELET = KubeletConfiguration(cluster_dns=("10.96.0.10",))
"""No process asks for names: none of the pods is to hear that there is no DNS."""
_VOLUMES, _TOKENS, _FILES = VirtualVolumes(), VirtualTokens(), NoFiles()


class _NoServices:
    """An informer of nothing: no process reads the variables of Services."""

    synced = True

    async def wait_synced(self) -> None:
        return

    def get(self, namespace: str, name: str) -> None:
        return None

    def list(self, namespace: str | None = None) -> list[dict[str, object]]:
        return []

    def add_handler(self, handler: object) -> None:
        return

    def remove_handler(self, handler: object) -> None:
        return
