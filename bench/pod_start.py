"""How long from `create` to Ready, as a multiple of what the container runtime alone needs for it.

    python -m bench.pod_start --home DIR [--rounds N] [--json]

In each round, one after the other: a sandbox, a container and its start through CRI alone; a pod created
through the API until a watch shows it Ready; the same with `kubectl run`. The image is present in all cases.
Not here: pulling images, many pods at once.
"""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import grpc
import typer
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc

from bench.report import show
from conformance import pods, testimage
from conformance.cluster import kubeling
from conformance.kubectl import Kubectl
from conformance.rest import connect
from conformance.space import Space, opened
from conformance.waiting import eventually

Measure = Callable[[int], float]


def main(
    home: Annotated[Path, typer.Option(help="Home of a running cluster.")] = Path("/var/lib/kubeling"),
    rounds: Annotated[int, typer.Option(help="How often to measure each way.")] = 15,
    kubectl: Annotated[str, typer.Option(help="Program for `kubectl run`.")] = "kubectl",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """From create to Ready, as a multiple of sandbox, create and start through CRI alone."""
    _load_image(home)
    node = json.loads((home / "config" / "node.json").read_bytes())
    endpoint = node.get("criEndpoint") or f"unix://{node['state']}/containerd.sock"
    with contextlib.ExitStack() as stack:
        runtime = Runtime(stack.enter_context(grpc.insecure_channel(endpoint)), stack)
        space = stack.enter_context(opened(connect(home / "admin.kubeconfig"), testimage.NAME))
        cache = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = Kubectl(shutil.which(kubectl) or kubectl, home / "admin.kubeconfig", cache, space.name)
        ways = _ways(runtime, space, command)
        seconds = _measure(ways, rounds=rounds)
    show({f"pod start, {rounds} rounds": _rows(seconds)}, as_json=as_json)


class Runtime:
    """The CRI server of the cluster's node, asked past the node agent."""

    def __init__(self, channel: grpc.Channel, stack: contextlib.ExitStack) -> None:
        self._stub: Any = api_pb2_grpc.RuntimeServiceStub(channel)  # type: ignore[no-untyped-call]
        self._logs = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-pod-start-"))

    def start(self, number: int) -> float:
        """Seconds for a sandbox, a container and its start. All is removed afterwards."""
        sandbox_config, config = self._configs(f"bench-{number}")
        began = time.perf_counter()
        request = cri.RunPodSandboxRequest(config=sandbox_config)
        sandbox = self._stub.RunPodSandbox(request).pod_sandbox_id
        create = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox, config=config, sandbox_config=sandbox_config
        )
        container = self._stub.CreateContainer(create).container_id
        self._stub.StartContainer(cri.StartContainerRequest(container_id=container))
        took = time.perf_counter() - began
        self._stub.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=sandbox))
        self._stub.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox))
        return took

    def sandboxes(self, namespace: str) -> list[Any]:
        selector = {"io.kubernetes.pod.namespace": namespace}
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=selector))
        return list(self._stub.ListPodSandbox(request).items)

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


def _ways(runtime: Runtime, space: Space, command: Kubectl) -> dict[str, Measure]:
    def create(name: str) -> None:
        space.run(name)

    def run(name: str) -> None:
        arguments = ["run", name, f"--image={space.image}", "--restart=Never", "--", "sh", "-c", pods.IDLE]
        command(*arguments)

    return {
        "CRI alone": runtime.start,
        "create through the API": lambda number: _until_ready(runtime, space, f"api-{number}", create),
        "kubectl run": lambda number: _until_ready(runtime, space, f"kubectl-{number}", run),
    }


def _until_ready(runtime: Runtime, space: Space, name: str, create: Callable[[str], None]) -> float:
    """Seconds from before `create` to the event that shows the pod Ready."""
    since = space.rest.get(space.path("pods"))["metadata"]["resourceVersion"]
    with space.rest.watch(space.path("pods"), resourceVersion=since, timeout=60) as events:
        began = time.perf_counter()
        create(name)
        took = _ready_after(began, events, name)
    space.remove_pod(name)
    eventually(lambda: not runtime.sandboxes(space.name), what="no sandbox is left")
    return took


def _ready_after(began: float, events: Iterator[dict[str, Any]], name: str) -> float:
    for event in events:
        if event["object"]["metadata"]["name"] == name and pods.ready(event["object"]):
            return time.perf_counter() - began
    raise SystemExit(f"pod {name} did not become ready")


def _measure(ways: dict[str, Measure], *, rounds: int) -> dict[str, list[float]]:
    """The first round warms up and does not count. Each way follows each other one equally often."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            took = ways[name](number)
            seconds[name] += [took] if number else []
    return seconds


def _rows(seconds: dict[str, list[float]]) -> list[dict[str, str | float]]:
    base = median(seconds["CRI alone"])
    return [
        {
            "way": name,
            "median ms": median(took) * 1000,
            "fastest ms": min(took) * 1000,
            "slowest ms": max(took) * 1000,
            "times CRI alone": median(took) / base,
        }
        for name, took in seconds.items()
    ]


def _load_image(home: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "image.tar"
        archive.write_bytes(testimage.build().docker_archive(testimage.NAME))
        kubeling("image", "load", str(archive), "--home", str(home))


if __name__ == "__main__":
    typer.run(main)
