"""`CriRuntime`: the container runtime protocol over CRI gRPC.

One method per verb, a deadline on every call, errors translated at one place. Not responsible for starting
the runtime (`runtime.cri.containerd`) nor for telling what changed (`runtime.cri.events`).
"""

import json
import math
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Self, TypeVar

import grpc.aio
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc
from google.protobuf.message import Message

from kubeling.objects.clock import Clock, SystemClock
from runtime.container_runtime import ExecResult, RuntimeEvent
from runtime.cri.channel import open_channel
from runtime.cri.events import EventStream
from runtime.cri.grpc_errors import runtime_errors
from runtime.cri.operations import Operations
from runtime.cri.stop_signal import pid_of, signal_container
from runtime.errors import NotFound

QUICK = 15.0  # seconds: reads
NORMAL = 120.0  # the kubelet's runtimeRequestTimeout
PULL = 86400.0  # what makes no progress is given up by the runtime, or by who asked for it
UNLIMITED = 86400.0  # exec without a timeout

Response = TypeVar("Response", bound=Message)


class CriRuntime:
    """Drives the CRI server at `endpoint` ("unix:///run/…/containerd.sock"). See `ContainerRuntime`."""

    def __init__(self, endpoint: str, *, clock: Clock | None = None, patience: float = NORMAL) -> None:
        """`patience` are the seconds that a call may take which is neither a mere look nor a pull."""
        self.endpoint = endpoint
        self._patience = patience
        self.operations = Operations()
        self._clock = clock or SystemClock()
        self._channel = open_channel(endpoint)
        self._runtime: Any = api_pb2_grpc.RuntimeServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._images: Any = api_pb2_grpc.ImageServiceStub(self._channel)  # type: ignore[no-untyped-call]

    @property
    def channel(self) -> grpc.aio.Channel:
        """For the other services behind the same socket; closed with the client."""
        return self._channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close(None)

    async def _ask(
        self, method: Any, request: Message, answer: type[Response], *, timeout: float | None = None
    ) -> Response:
        with self.operations.counted(type(request).__name__), runtime_errors():
            response: Response = await method(request, timeout=timeout or self._patience)
        assert isinstance(response, answer)
        return response

    async def version(self) -> cri.VersionResponse:
        request = cri.VersionRequest(version="v1")
        return await self._ask(self._runtime.Version, request, cri.VersionResponse, timeout=QUICK)

    async def status(self) -> cri.StatusResponse:
        return await self._ask(self._runtime.Status, cri.StatusRequest(), cri.StatusResponse, timeout=QUICK)

    def events(self) -> AsyncIterator[RuntimeEvent]:
        return EventStream(self._channel, clock=self._clock).events()

    # --- sandboxes ---

    async def run_pod_sandbox(self, config: cri.PodSandboxConfig, *, handler: str = "") -> str:
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        response = await self._ask(
            self._runtime.RunPodSandbox, request, cri.RunPodSandboxResponse, timeout=2 * self._patience
        )
        return response.pod_sandbox_id

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await self._idempotent(self._runtime.StopPodSandbox, request, cri.StopPodSandboxResponse)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        await self._idempotent(self._runtime.RemovePodSandbox, request, cri.RemovePodSandboxResponse)

    async def pod_sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        method = self._runtime.PodSandboxStatus
        return (await self._ask(method, request, cri.PodSandboxStatusResponse, timeout=QUICK)).status

    async def list_pod_sandboxes(
        self, filter_: cri.PodSandboxFilter | None = None
    ) -> Sequence[cri.PodSandbox]:
        request = cri.ListPodSandboxRequest(filter=filter_)
        method = self._runtime.ListPodSandbox
        return (await self._ask(method, request, cri.ListPodSandboxResponse, timeout=QUICK)).items

    # --- containers ---

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        request = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox_config
        )
        return (
            await self._ask(self._runtime.CreateContainer, request, cri.CreateContainerResponse)
        ).container_id

    async def start_container(self, container_id: str) -> None:
        request = cri.StartContainerRequest(container_id=container_id)
        await self._ask(self._runtime.StartContainer, request, cri.StartContainerResponse)

    async def stop_container(self, container_id: str, *, timeout: int, signal: str = "") -> None:
        if signal and timeout:
            pid = partial(self._pid, container_id)
            await signal_container(pid, signal, seconds=timeout, clock=self._clock)
            timeout = 0
        request = cri.StopContainerRequest(container_id=container_id, timeout=timeout)
        await self._idempotent(
            self._runtime.StopContainer, request, cri.StopContainerResponse, timeout=timeout + self._patience
        )

    async def _pid(self, container_id: str) -> int:
        """0 when the container is not there, or does not run."""
        request = cri.ContainerStatusRequest(container_id=container_id, verbose=True)
        method = self._runtime.ContainerStatus
        try:
            answer = await self._ask(method, request, cri.ContainerStatusResponse, timeout=QUICK)
        except NotFound:
            return 0
        return pid_of(answer.info) if answer.status.state == cri.CONTAINER_RUNNING else 0

    async def remove_container(self, container_id: str) -> None:
        request = cri.RemoveContainerRequest(container_id=container_id)
        await self._idempotent(self._runtime.RemoveContainer, request, cri.RemoveContainerResponse)

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        request = cri.ContainerStatusRequest(container_id=container_id)
        method = self._runtime.ContainerStatus
        return (await self._ask(method, request, cri.ContainerStatusResponse, timeout=QUICK)).status

    async def list_containers(self, filter_: cri.ContainerFilter | None = None) -> Sequence[cri.Container]:
        request = cri.ListContainersRequest(filter=filter_)
        method = self._runtime.ListContainers
        return (await self._ask(method, request, cri.ListContainersResponse, timeout=QUICK)).containers

    async def list_container_stats(
        self, filter_: cri.ContainerStatsFilter | None = None
    ) -> Sequence[cri.ContainerStats]:
        request = cri.ListContainerStatsRequest(filter=filter_)
        method = self._runtime.ListContainerStats
        return (await self._ask(method, request, cri.ListContainerStatsResponse, timeout=QUICK)).stats

    async def update_container_resources(
        self, container_id: str, resources: cri.LinuxContainerResources
    ) -> None:
        request = cri.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        await self._ask(self._runtime.UpdateContainerResources, request, cri.UpdateContainerResourcesResponse)

    async def reopen_container_log(self, container_id: str) -> None:
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        await self._ask(self._runtime.ReopenContainerLog, request, cri.ReopenContainerLogResponse)

    # --- commands and streams ---

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        request = cri.ExecSyncRequest(container_id=container_id, cmd=command, timeout=math.ceil(timeout))
        deadline = timeout + 30 if timeout > 0 else UNLIMITED  # the runtime kills the command, not we
        response = await self._ask(self._runtime.ExecSync, request, cri.ExecSyncResponse, timeout=deadline)
        return ExecResult(response.stdout, response.stderr, response.exit_code)

    async def exec_url(self, request: cri.ExecRequest) -> str:
        return (await self._ask(self._runtime.Exec, request, cri.ExecResponse)).url

    async def attach_url(self, request: cri.AttachRequest) -> str:
        return (await self._ask(self._runtime.Attach, request, cri.AttachResponse)).url

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str:
        return (await self._ask(self._runtime.PortForward, request, cri.PortForwardResponse)).url

    # --- images ---

    async def pull_image(
        self,
        image: str,
        *,
        auth: cri.AuthConfig | None = None,
        sandbox_config: cri.PodSandboxConfig | None = None,
    ) -> str:
        request = cri.PullImageRequest(
            image=cri.ImageSpec(image=image), auth=auth, sandbox_config=sandbox_config
        )
        return (
            await self._ask(self._images.PullImage, request, cri.PullImageResponse, timeout=PULL)
        ).image_ref

    async def image_status(self, image: str) -> cri.Image | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        response = await self._ask(self._images.ImageStatus, request, cri.ImageStatusResponse, timeout=QUICK)
        return response.image if response.HasField("image") else None

    async def image_chain(self, image: str) -> str:
        """The chain id of the image's layers, as containerd tells it; NotFound."""
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image), verbose=True)
        response = await self._ask(self._images.ImageStatus, request, cri.ImageStatusResponse, timeout=QUICK)
        if not response.HasField("image"):
            raise NotFound(f'image "{image}" not found', code="NotFound")
        return str(json.loads(response.info.get("info") or "{}").get("chainID", ""))

    async def list_images(self) -> Sequence[cri.Image]:
        request = cri.ListImagesRequest()
        return (
            await self._ask(self._images.ListImages, request, cri.ListImagesResponse, timeout=QUICK)
        ).images

    async def remove_image(self, image: str) -> None:
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=image))
        await self._idempotent(self._images.RemoveImage, request, cri.RemoveImageResponse)

    async def image_fs_info(self) -> Sequence[cri.FilesystemUsage]:
        request = cri.ImageFsInfoRequest()
        method = self._images.ImageFsInfo
        return (await self._ask(method, request, cri.ImageFsInfoResponse, timeout=QUICK)).image_filesystems

    async def _idempotent(
        self, method: Any, request: Message, answer: type[Response], *, timeout: float | None = None
    ) -> None:
        """CRI asks for idempotent stop and remove; some runtimes answer NotFound all the same."""
        try:
            await self._ask(method, request, answer, timeout=timeout)
        except NotFound:
            return
