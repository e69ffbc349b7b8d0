"""A node for tests of pod workers: everything real but the runtime, the API server and time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubeling.client.alarms import Alarms
from kubeling.client.event_recorder import EventRecorder
from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS, PODS, SERVICES
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.images.pull import ImagePuller
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.agent import PodAgent
from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.context import NodeContext
from runtime.pods.object_sources import ObjectSources
from runtime.static.folder import ManifestFolder
from runtime.static.static_pods import StaticPods
from runtime.tests.fake_runtime import FakeRuntime
from runtime.volumes.account_tokens import AccountTokens
from runtime.volumes.claims import Claims
from runtime.volumes.pod_certificates import PodCertificates
from runtime.volumes.volumes import Volumes


@dataclass
class FakeNode:
    """The Node as the node agent sees it; `later` is what the API has."""

    node: Object = field(
        default_factory=lambda: {
            "metadata": {"name": "node-1", "labels": {"zone": "a"}},
            "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3", "example.com/gpu": "1"}},
        }
    )
    later: Object | None = None

    @property
    def enforced(self) -> dict[str, str]:
        return {"cpu": "2", "memory": "1Gi"}

    async def read(self) -> None:
        self.node = self.later or self.node


@dataclass
class PodNode:
    client: FakeClient
    clock: FakeClock
    runtime: FakeRuntime
    agent: PodAgent
    context: NodeContext
    root: Path

    def create(self, pod: Object) -> None:
        self.client.put(pod)

    def pod(self, name: str = "web") -> Object | None:
        return self.client.stored(PODS, name, namespace="default")

    def status(self, name: str = "web") -> Object:
        return (self.pod(name) or {}).get("status") or {}

    def container(self, name: str = "main", pod: str = "web") -> Object:
        """The container's status, {} when it has none."""
        statuses = self.status(pod).get("containerStatuses") or []
        return next((each for each in statuses if each["name"] == name), {})

    def waiting(self, name: str = "main") -> str:
        """The reason for which the container waits, "" when it does not."""
        return str(self.container(name).get("state", {}).get("waiting", {}).get("reason", ""))

    async def until(self, true: Callable[[], Any], *, seconds: float = 5.0) -> None:
        """Let everything run until it is so; time stands still meanwhile."""
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def running(self, name: str = "web") -> None:
        await self.until(lambda: self.status(name).get("phase") == "Running")

    async def events(self) -> list[tuple[str, str]]:
        """Reasons and messages, in the order in which they were recorded."""
        for _ in range(50):
            await asyncio.sleep(0)
        found = (await self.client.list(EVENTS)).items
        return [
            (each["reason"], each["message"]) for each in sorted(found, key=lambda e: e["metadata"]["name"])
        ]


@asynccontextmanager
async def pod_node(
    root: Path,
    *,
    client: FakeClient | None = None,
    runtime: FakeRuntime | None = None,
    manifests: Path | None = None,
) -> AsyncIterator[PodNode]:
    """Pass the client and runtime of an earlier node to play a restart of the agent."""
    clock = runtime.clock if runtime is not None else FakeClock()
    assert isinstance(clock, FakeClock)
    client = client or FakeClient(clock=clock)
    runtime = runtime or FakeRuntime(clock)
    runtime.has_image("app:1")
    tasks = Tasks("test-node")
    recorder = EventRecorder(client, "kubelet", clock=clock, host="node-1")
    context = NodeContext(
        runtime=runtime,
        client=client,
        clock=clock,
        recorder=recorder,
        puller=ImagePuller(runtime, clock),
        sources=ObjectSources(client, clock, tasks, lambda uid: agent.sources_changed(uid)),
        services=client.informer(SERVICES),
        volumes=Volumes(clock),
        claims=Claims(client, "node-1"),
        tokens=AccountTokens(client, clock),
        certificates=PodCertificates(client, clock, "node-1", lambda uid: agent.sources_changed(uid)),
        alarms=Alarms(clock, tasks, lambda key: agent.wake(key)),
        root=root,
        node_name="node-1",
        host_ips=("192.0.2.7",),
        rules=ResourceRules(memory_capacity=2**30),
        kubelet=KubeletConfiguration(cluster_dns=("10.96.0.10",)),
    )
    pods, own = client.informer(PODS, field_selector="spec.nodeName=node-1"), None
    if manifests is not None:
        own = StaticPods(ManifestFolder(manifests, "node-1", clock), client, clock, pods)
    agent = PodAgent(context, pods, own)
    tasks.start(agent.run(), name="agent")
    try:
        yield PodNode(client, clock, runtime, agent, context, root)
    finally:
        await agent.stop(within=0)
        await context.sources.stop()
        await recorder.close()
        await tasks.stop()


def a_pod(name: str = "web", *, containers: list[Object] | None = None, **spec: Any) -> Object:
    """Bound to the node, as the API shows it; its container, if none are given, mounts all its volumes."""
    mounts = [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in spec.get("volumes") or []]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}, "generation": 1},
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": containers or [a_container(volumeMounts=mounts) if mounts else a_container()],
            **spec,
        },
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


def a_container(name: str = "main", **fields: Any) -> Object:
    return {"name": name, "image": "app:1", "imagePullPolicy": "IfNotPresent", **fields}
