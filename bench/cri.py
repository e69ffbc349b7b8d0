"""Pods through CRI alone, past the node agent: the reference for what the agent needs.

Not here: pods through the API (`bench.node_pods`).
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc

from conformance import pods, testimage

AT_ONCE = 4
"""Pods that are started, or removed, at the same time: more only make each other slower on two cores."""


class Runtime:
    """The CRI server of a cluster's node."""

    def __init__(self, channel: grpc.Channel, logs: str) -> None:
        self._stub: Any = api_pb2_grpc.RuntimeServiceStub(channel)  # type: ignore[no-untyped-call]
        self._logs = logs

    def start(self, number: int) -> float:
        """Seconds for a sandbox, a container and its start. All is removed afterwards."""
        began = time.perf_counter()
        sandbox = self._start(f"bench-{number}")
        took = time.perf_counter() - began
        self._remove(sandbox)
        return took

    def many(self, count: int) -> tuple[float, float]:
        """Seconds until so many pods are started, and until they are stopped and removed."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            began = time.perf_counter()
            sandboxes = list(threads.map(self._start, [f"bench-many-{number}" for number in range(count)]))
            started = time.perf_counter()
            list(threads.map(self._remove, sandboxes))
            return started - began, time.perf_counter() - started

    def sandboxes(self, namespace: str) -> list[Any]:
        selector = {"io.kubernetes.pod.namespace": namespace}
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=selector))
        return list(self._stub.ListPodSandbox(request).items)

    def started_at(self, container_id: str) -> float:
        """Seconds since the epoch."""
        request = cri.ContainerStatusRequest(container_id=container_id)
        return float(self._stub.ContainerStatus(request).status.started_at) / 1e9

    def _start(self, name: str) -> str:
        sandbox_config, config = self._configs(name)
        request = cri.RunPodSandboxRequest(config=sandbox_config)
        sandbox: str = self._stub.RunPodSandbox(request).pod_sandbox_id
        create = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox, config=config, sandbox_config=sandbox_config
        )
        container = self._stub.CreateContainer(create).container_id
        self._stub.StartContainer(cri.StartContainerRequest(container_id=container))
        return sandbox

    def _remove(self, sandbox: str) -> None:
        self._stub.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=sandbox))
        self._stub.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox))

    def _configs(self, name: str) -> tuple[cri.PodSandboxConfig, cri.ContainerConfig]:
        metadata = cri.PodSandboxMetadata(name=name, uid=name, namespace="bench")
        linux = cri.LinuxPodSandboxConfig(cgroup_parent=f"/{name}")
        sandbox = cri.PodSandboxConfig(
            metadata=metadata, hostname=name, log_directory=self._logs, linux=linux
        )
        container = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name="main"),
            image=cri.ImageSpec(image=testimage.NAME),
            command=["sh", "-c", pods.IDLE],
            log_path=f"{name}.log",
        )
        return sandbox, container


@contextmanager
def runtime_of(home: Path) -> Iterator[Runtime]:
    """Of the cluster that runs in that home."""
    node = json.loads((home / "config" / "node.json").read_bytes())
    endpoint = node.get("criEndpoint") or f"unix://{node['state']}/containerd.sock"
    with contextlib.ExitStack() as stack:
        logs = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-cri-"))
        yield Runtime(stack.enter_context(grpc.insecure_channel(endpoint)), logs)
