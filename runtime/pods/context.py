"""What all pod workers of a node share: the runtime, the API, time, and facts about the node."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubeling.client.alarms import Alarms
from kubeling.client.event_recorder import EventRecorder
from kubeling.client.protocol import Client, Informer
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.container_runtime import ContainerRuntime
from runtime.images.pull import ImagePuller
from runtime.pods.backoff import Backoff
from runtime.pods.dns import ResolvConf
from runtime.pods.downward import PodFacts
from runtime.pods.object_sources import ObjectSources
from runtime.pods.service_environment import service_environment
from runtime.volumes.account_tokens import AccountTokens
from runtime.volumes.volumes import Volumes

SANDBOX_STARTS = 8
"""Sandboxes that are started at the same time; more only make each other slower."""


@dataclass(slots=True)
class NodeContext:
    runtime: ContainerRuntime
    client: Client
    clock: Clock
    recorder: EventRecorder
    puller: ImagePuller
    sources: ObjectSources
    services: Informer
    volumes: Volumes
    tokens: AccountTokens
    alarms: Alarms[tuple[str, str]]
    """Keys are (pod uid, what for); ringing wakes the pod's worker."""
    root: Path
    node_name: str
    host_ips: tuple[str, ...]
    memory_capacity: int
    """Bytes."""
    allocatable: Mapping[str, str] = field(default_factory=dict)
    resolv_conf: Callable[[], ResolvConf] = ResolvConf
    cluster_domain: str = "cluster.local"
    crashes: Backoff = field(default_factory=Backoff)
    sandbox_starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SANDBOX_STARTS))

    def facts(self, pod_ips: tuple[str, ...] = ()) -> PodFacts:
        return PodFacts(self.node_name, pod_ips, self.host_ips, self.allocatable)

    async def service_variables(self, pod: Object) -> dict[str, str]:
        """The services' environment; waits until the services are known."""
        await self.services.wait_synced()
        return service_environment(self.services.list(), pod)
