"""Virtual nodes for tests: everything real but the API server and time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS, LEASES, NODES, PODS
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from runtime.tests.pod_node import a_pod
from runtime.virtual.agent import Informers, VirtualAgent, Wanted
from runtime.virtual.node_object import NodeShape
from runtime.virtual.wishes import LOST, PREFIX

SHAPE = NodeShape("192.0.2.7", 10260, "4", "8Gi")


@dataclass
class VirtualCluster:
    client: FakeClient
    clock: FakeClock
    agent: VirtualAgent

    async def run(self, name: str = "web", *, said: dict[str, str] | None = None, **spec: Any) -> Object:
        """Create a pod on the first node and let happen what happens; its status."""
        pod = a_pod(name, **{"nodeName": "virtual-0", **spec})
        pod["metadata"]["annotations"] = {PREFIX + key: value for key, value in (said or {}).items()}
        self.client.put(pod)
        await self.settle()
        return self.status(name)

    async def say(self, name: str = "web", **said: str | None) -> Object:
        """Annotate the pod; its status when that has had its effect."""
        annotations = {PREFIX + key.replace("_", "-"): value for key, value in said.items()}
        await self.client.patch(PODS, name, {"metadata": {"annotations": annotations}}, namespace="default")
        await self.settle()
        return self.status(name)

    async def lose(self, name: str = "virtual-0", *, lost: bool = True) -> None:
        said = {LOST: "true" if lost else None}
        await self.client.patch(NODES, name, {"metadata": {"annotations": said}})
        await self.settle()

    async def find(self, name: str = "virtual-0") -> None:
        await self.lose(name, lost=False)

    def status(self, name: str = "web") -> Object:
        """{} when the pod is gone."""
        return (self.client.stored(PODS, name, namespace="default") or {}).get("status") or {}

    def container(self, name: str = "web") -> Object:
        status: Object = self.status(name)["containerStatuses"][0]
        return status

    def ready(self, name: str = "web") -> bool:
        return any(
            each["type"] == "Ready" and each["status"] == "True" for each in self.status(name)["conditions"]
        )

    def node(self, name: str = "virtual-0") -> Object:
        return self.client.stored(NODES, name) or {}

    def lease(self, name: str = "virtual-0") -> Object:
        return self.client.stored(LEASES, name, namespace="kube-node-lease") or {}

    def written(self, name: str = "web") -> int:
        """How often the pod's status was written."""
        return len([each for each in self.client.writes() if (each.resource, each.name) == (PODS, name)])

    async def reasons(self) -> list[str]:
        await self.settle()
        return [each["reason"] for each in (await self.client.list(EVENTS)).items]

    async def settle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0)


@asynccontextmanager
async def virtual_cluster(
    count: int = 2, *, latency: float = 0.0, client: FakeClient | None = None, clock: FakeClock | None = None
) -> AsyncIterator[VirtualCluster]:
    """Pass the client and clock of an earlier one to play a restart."""
    clock = clock or FakeClock()
    client = client or FakeClient(clock=clock)
    informers = Informers(client.informer(NODES), client.informer(PODS))
    agent = VirtualAgent(client, informers, Wanted(count, SHAPE, latency), clock=clock)
    cluster = VirtualCluster(client, clock, agent)
    clock.settle = cluster.settle
    await agent.start()
    await cluster.settle()
    try:
        yield cluster
    finally:
        await agent.stop()
