"""A container runtime for tests: keeps CRI's records in memory, runs nothing, does what the test tells it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cri_api.v1 import api_pb2 as cri
from google.protobuf.message import Message

from kubeling.objects.clock import Clock, FakeClock
from kubeling.objects.tasks import Tasks
from runtime.container_runtime import ExecResult, RuntimeEvent, RuntimeEventKind
from runtime.errors import NotFound, RuntimeFailed, RuntimeServiceError

Copied = TypeVar("Copied", bound=Message)


@dataclass
class FakeRuntime:
    """`calls` records the verbs; `fail` makes the next call of a verb raise; `exit` ends a container."""

    clock: Clock = field(default_factory=FakeClock)
    images: dict[str, cri.Image] = field(default_factory=dict)
    pullable: set[str] = field(default_factory=set)
    stubborn: set[str] = field(default_factory=set)
    """Names of containers that ignore their stop signal."""
    exec_result: ExecResult = field(default_factory=lambda: ExecResult(b"", b"", 0))
    """How each command ends."""
    exit_at_start: dict[str, int] = field(default_factory=dict)
    """Exit codes of containers that end as soon as they are started, by name."""
    sandboxes: dict[str, cri.PodSandboxStatus] = field(default_factory=dict)
    containers: dict[str, cri.ContainerStatus] = field(default_factory=dict)
    sandbox_of: dict[str, str] = field(default_factory=dict)
    configs: dict[str, cri.ContainerConfig] = field(default_factory=dict)
    sandbox_configs: list[cri.PodSandboxConfig] = field(default_factory=list)
    """Of the sandboxes that were asked for, and by which handlers they were to be run."""
    handlers: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    knows_signals: bool = False
    """Whether it takes stop signals of containers, and says so."""
    signals: list[str] = field(default_factory=list)
    """What containers were stopped with, where it was not what the runtime knows."""
    layers: dict[str, int] = field(default_factory=dict)
    """Bytes in containers' writable layers, by id."""

    def __post_init__(self) -> None:
        self._queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue()
        self._failures: dict[str, list[RuntimeServiceError]] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._count = 0

    # What tests do.

    def has_image(self, name: str) -> None:
        self.images[name] = cri.Image(id=f"sha256:{name}", repo_tags=[name], size=7)

    def fail(self, verb: str, error: RuntimeServiceError | None = None, *, times: int = 1) -> None:
        self._failures.setdefault(verb, []).extend([error or RuntimeFailed("no")] * times)

    def named(self, name: str) -> list[cri.ContainerStatus]:
        """The containers of that name, the oldest first."""
        found = [each for each in self.containers.values() if each.metadata.name == name]
        return sorted(found, key=lambda each: each.metadata.attempt)

    def running(self, name: str) -> bool:
        return any(each.state == cri.CONTAINER_RUNNING for each in self.named(name))

    def exit(self, name: str, code: int = 0) -> None:
        """End the running container of that name, and tell of it."""
        for each in self.named(name):
            if each.state == cri.CONTAINER_RUNNING:
                self._end(each.id, code)

    def lose_sandboxes(self) -> None:
        """What a reboot leaves: sandboxes that are not ready, containers that have ended somehow."""
        for sandbox in self.sandboxes.values():
            sandbox.state = cri.SANDBOX_NOTREADY
        for container in list(self.containers.values()):
            if container.state == cri.CONTAINER_RUNNING:
                self._end(container.id, 255)
        self.emit(RuntimeEventKind.RELIST)

    def emit(self, kind: RuntimeEventKind, runtime_id: str = "") -> None:
        self._queue.put_nowait(RuntimeEvent(kind, runtime_id))

    def verbs(self, *wanted: str) -> list[str]:
        return [verb for verb, _ in self.calls if not wanted or verb in wanted]

    # The protocol.

    async def version(self) -> cri.VersionResponse:
        return cri.VersionResponse(runtime_name="containerd", runtime_version="1.6.20")

    async def status(self) -> cri.StatusResponse:
        self._note("status")
        kinds = ("RuntimeReady", "NetworkReady")
        conditions = [cri.RuntimeCondition(type=each, status=True) for each in kinds]
        return cri.StatusResponse(status=cri.RuntimeStatus(conditions=conditions))

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        yield RuntimeEvent(RuntimeEventKind.RELIST)
        while True:
            yield await self._queue.get()

    async def run_pod_sandbox(self, config: cri.PodSandboxConfig, *, handler: str = "") -> str:
        self._note("run_pod_sandbox", config.metadata.name)
        self.sandbox_configs.append(config)
        self.handlers.append(handler)
        sandbox_id = self._new_id("sandbox")
        self.sandboxes[sandbox_id] = cri.PodSandboxStatus(
            id=sandbox_id,
            metadata=config.metadata,
            state=cri.SANDBOX_READY,
            created_at=self._now(),
            network=cri.PodSandboxNetworkStatus(ip=f"10.244.0.{self._count}"),
            labels=config.labels,
            annotations=config.annotations,
        )
        return sandbox_id

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        self._note("stop_pod_sandbox", sandbox_id)
        if sandbox_id in self.sandboxes:
            self.sandboxes[sandbox_id].state = cri.SANDBOX_NOTREADY
            for container_id in self._inside(sandbox_id):
                if self.containers[container_id].state == cri.CONTAINER_RUNNING:
                    self._end(container_id, 137)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        self._note("remove_pod_sandbox", sandbox_id)
        for container_id in self._inside(sandbox_id):
            self._drop(container_id)
        self.sandboxes.pop(sandbox_id, None)

    async def pod_sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        self._note("pod_sandbox_status", sandbox_id)
        return _copy(self._found(self.sandboxes, sandbox_id))

    async def list_pod_sandboxes(
        self, filter_: cri.PodSandboxFilter | None = None
    ) -> Sequence[cri.PodSandbox]:
        self._note("list_pod_sandboxes")
        return [
            cri.PodSandbox(id=each.id, metadata=each.metadata, state=each.state, labels=each.labels)
            for each in self.sandboxes.values()
            if _selected(each.labels, filter_)
        ]

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        self._note("create_container", config.metadata.name)
        container_id = self._new_id("container")
        self.sandbox_of[container_id] = sandbox_id
        self.configs[container_id] = config
        self.containers[container_id] = cri.ContainerStatus(
            id=container_id,
            metadata=config.metadata,
            state=cri.CONTAINER_CREATED,
            created_at=self._now(),
            image=cri.ImageSpec(image=config.image.user_specified_image),
            image_ref=config.image.image,
            labels=config.labels,
            annotations=config.annotations,
            mounts=config.mounts,
            stop_signal=config.stop_signal if self.knows_signals else cri.RUNTIME_DEFAULT,
            resources=cri.ContainerResources(linux=config.linux.resources),
        )
        return container_id

    async def start_container(self, container_id: str) -> None:
        container = self._found(self.containers, container_id)
        container.started_at = self._now()
        try:
            self._note("start_container", container.metadata.name)
        except RuntimeServiceError:
            self._end(container_id, 128)
            raise
        container.state = cri.CONTAINER_RUNNING
        if container.metadata.name in self.exit_at_start:
            self._end(container_id, self.exit_at_start[container.metadata.name])

    async def stop_container(self, container_id: str, *, timeout: int, signal: str = "") -> None:
        self._note("stop_container", container_id)
        self.signals.append(signal)
        container = self.containers.get(container_id)
        if container is None or container.state != cri.CONTAINER_RUNNING:
            return
        if container.metadata.name in self.stubborn:
            async with Tasks("stop") as tasks:
                waits = [
                    tasks.start(self.clock.sleep(timeout), name="grace"),
                    tasks.start(self._ended(container_id).wait(), name="end"),
                ]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if container.state == cri.CONTAINER_RUNNING:
            self._end(container_id, 137 if container.metadata.name in self.stubborn else 0)

    def _ended(self, container_id: str) -> asyncio.Event:
        return self._ends.setdefault(container_id, asyncio.Event())

    async def remove_container(self, container_id: str) -> None:
        self._note("remove_container", container_id)
        self._drop(container_id)

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        self._note("container_status", container_id)
        return _copy(self._found(self.containers, container_id))

    async def list_containers(self, filter_: cri.ContainerFilter | None = None) -> Sequence[cri.Container]:
        self._note("list_containers")
        return [
            cri.Container(
                id=each.id,
                pod_sandbox_id=self.sandbox_of[each.id],
                metadata=each.metadata,
                state=each.state,
                labels=each.labels,
                annotations=each.annotations,
            )
            for each in self.containers.values()
            if _selected(each.labels, filter_)
        ]

    async def list_container_stats(
        self, filter_: cri.ContainerStatsFilter | None = None
    ) -> Sequence[cri.ContainerStats]:
        self._note("list_container_stats")
        return [
            cri.ContainerStats(
                attributes=cri.ContainerAttributes(id=each, metadata=self.containers[each].metadata),
                writable_layer=cri.FilesystemUsage(used_bytes=cri.UInt64Value(value=used)),
            )
            for each, used in self.layers.items()
            if each in self.containers
        ]

    async def update_container_resources(
        self, container_id: str, resources: cri.LinuxContainerResources
    ) -> None:
        self._note("update_container_resources", container_id)
        self._found(self.containers, container_id).resources.linux.CopyFrom(resources)

    async def reopen_container_log(self, container_id: str) -> None:
        self._note("reopen_container_log", container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        self._note("exec_sync", " ".join(command))
        return self.exec_result

    async def exec_url(self, request: cri.ExecRequest) -> str:
        return "http://exec"

    async def attach_url(self, request: cri.AttachRequest) -> str:
        return "http://attach"

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str:
        return "http://port-forward"

    async def pull_image(
        self,
        image: str,
        *,
        auth: cri.AuthConfig | None = None,
        sandbox_config: cri.PodSandboxConfig | None = None,
    ) -> str:
        self._note("pull_image", image)
        if image not in self.pullable:
            raise NotFound(f"{image}: not found", code="NotFound")
        self.has_image(image)
        return image

    async def image_status(self, image: str) -> cri.Image | None:
        self._note("image_status", image)
        return self.images.get(image)

    async def list_images(self) -> Sequence[cri.Image]:
        return list(self.images.values())

    async def remove_image(self, image: str) -> None:
        self.images.pop(image, None)

    async def image_fs_info(self) -> Sequence[cri.FilesystemUsage]:
        return []

    # Within.

    def _note(self, verb: str, subject: str = "") -> None:
        self.calls.append((verb, subject))
        if self._failures.get(verb):
            raise self._failures[verb].pop(0)

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def _now(self) -> int:
        return int(self.clock.now().timestamp() * 1e9)

    def _end(self, container_id: str, code: int) -> None:
        container = self.containers[container_id]
        container.state = cri.CONTAINER_EXITED
        container.exit_code = code
        self._ended(container_id).set()
        container.finished_at = self._now()
        container.reason = "Error" if code else "Completed"
        self.emit(RuntimeEventKind.STOPPED, container_id)

    def _inside(self, sandbox_id: str) -> list[str]:
        return [each for each, sandbox in self.sandbox_of.items() if sandbox == sandbox_id]

    def _drop(self, container_id: str) -> None:
        self.containers.pop(container_id, None)
        self.sandbox_of.pop(container_id, None)

    def _found(self, records: dict[str, Copied], runtime_id: str) -> Copied:
        if runtime_id not in records:
            raise NotFound(f"{runtime_id} not found", code="NotFound")
        return records[runtime_id]


def _copy(message: Copied) -> Copied:
    fresh = type(message)()
    fresh.CopyFrom(message)
    return fresh


def _selected(labels: Any, filter_: Any) -> bool:
    wanted = filter_.label_selector if filter_ is not None else {}
    return all(labels.get(key) == value for key, value in wanted.items())
