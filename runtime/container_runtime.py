"""The one interface between the pod workers and whatever runs containers.

Responsible for stating the contract: verbs, data types, ordering, errors. Data types are CRI's own messages
(`cri_api.v1.api_pb2`). Not responsible for how: `runtime.cri` drives containerd or any CRI socket,
`runtime.virtual` pretends.

Common to all methods:

- Every method raises only `runtime.errors.RuntimeServiceError` (and lets cancellation through). A cancelled
  call may or may not have taken effect; so may one that ended in `RuntimeTimeout` or `RuntimeUnavailable`.
- Calls on different sandboxes run concurrently; calls on one container must be made one after the other,
  except status, list, exec and stop.
- State is the runtime's: nothing here is cached, a status read after a call returned shows its effect.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cri_api.v1 import api_pb2 as cri


@dataclass(frozen=True, slots=True)
class ExecResult:
    """Outcome of a command that ran to its end inside a container."""

    stdout: bytes
    stderr: bytes
    exit_code: int


class RuntimeEventKind(Enum):
    """What happened to a container or sandbox."""

    STOPPED = "stopped"
    DELETED = "deleted"
    RELIST = "relist"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something changed: a wake-up call, never a source of truth. The receiver reads the state itself.

    `id` is that of a container or of a sandbox (the runtime does not say which), and "" for RELIST and LOOK.
    RELIST: the runtime is there (again), events may have been lost. LOOK: of a runtime that tells nothing.
    Both mean: look at everything again.
    """

    kind: RuntimeEventKind
    id: str = ""


class ContainerRuntime(Protocol):
    """Runs pods' sandboxes and containers."""

    async def version(self) -> cri.VersionResponse:
        """Name and version of the runtime (`runtime_name`, `runtime_version`)."""

    async def status(self) -> cri.StatusResponse:
        """Conditions RuntimeReady and NetworkReady, what the runtime can; cheap enough for every beat."""

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """Changes of containers and sandboxes until the iterator is closed; one consumer per runtime.

        Begins with RELIST once it is subscribed, and gives RELIST again whenever events may have been lost
        (the runtime restarted, the stream broke); a runtime without events gives LOOK every second. Never
        raises for a runtime that is away: it tries again for ever.
        When STOPPED is delivered the runtime's own status says so, or will in a moment. Events may repeat.
        Creations and starts are not told of: they are the caller's own doing.
        """

    # --- sandboxes ---

    async def run_pod_sandbox(self, config: cri.PodSandboxConfig, *, handler: str = "") -> str:
        """Create and start a sandbox with its network; returns its id when it is ready.

        All or nothing as seen from outside: a failed call leaves at most a NotReady sandbox in the list.
        AlreadyExists when metadata (name, uid, namespace, attempt) is in use; RuntimeFailed for network
        errors.
        """

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in the sandbox, take its network down. Idempotent: no error for unknown ids."""

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        """Remove a sandbox and all its containers, stopping them if need be. Idempotent."""

    async def pod_sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        """State, addresses, labels and annotations; NotFound."""

    async def list_pod_sandboxes(
        self, filter_: cri.PodSandboxFilter | None = None
    ) -> Sequence[cri.PodSandbox]:
        """All sandboxes, in no particular order."""

    # --- containers ---

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        """Create (not start) a container; returns its id. The image must be present.

        AlreadyExists when metadata (name, attempt) is in use in the sandbox; NotFound for sandbox or image.
        """

    async def start_container(self, container_id: str) -> None:
        """Start a created container; returns when its process has been executed.

        RuntimeFailed when it cannot be executed (no such file, no permission): the container is then EXITED.
        """

    async def stop_container(self, container_id: str, *, timeout: int, signal: str = "") -> None:
        """Send the stop signal that the runtime knows of, or `signal` (as SIGUSR1, SIGRTMIN+3); after
        `timeout` seconds SIGKILL. Returns when the process is gone.

        timeout 0 kills at once. Idempotent; an unknown id is no error. A second call with a shorter timeout
        while the first is under way kills earlier.
        """

    async def remove_container(self, container_id: str) -> None:
        """Remove a container, killing it if it still runs; its log file stays. Idempotent."""

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        """State, times (nanoseconds since the epoch), exit code, reason, log path, mounts; NotFound."""

    async def list_containers(self, filter_: cri.ContainerFilter | None = None) -> Sequence[cri.Container]:
        """All containers in whatever state, in no particular order."""

    async def list_container_stats(
        self, filter_: cri.ContainerStatsFilter | None = None
    ) -> Sequence[cri.ContainerStats]:
        """What the containers that run use, their writable layers above all; some seconds old."""

    async def update_container_resources(
        self, container_id: str, resources: cri.LinuxContainerResources
    ) -> None:
        """Change the cgroup limits of a created or running container."""

    async def reopen_container_log(self, container_id: str) -> None:
        """Close and open the log file by name again (after a rotation); FailedPrecondition if not running."""

    # --- commands and streams ---

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Run a command to its end; after `timeout` seconds (0 = none) kill it and raise RuntimeTimeout."""

    async def exec_url(self, request: cri.ExecRequest) -> str:
        """URL on the runtime's streaming server that serves this exec once, within a minute."""

    async def attach_url(self, request: cri.AttachRequest) -> str:
        """URL on the runtime's streaming server that serves this attach once, within a minute."""

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str:
        """URL on the runtime's streaming server that serves this port-forward once, within a minute."""

    # --- images ---

    async def pull_image(
        self,
        image: str,
        *,
        auth: cri.AuthConfig | None = None,
        sandbox_config: cri.PodSandboxConfig | None = None,
    ) -> str:
        """Pull by reference; returns the id for `ContainerConfig.image`. NotFound when there is none."""

    async def image_status(self, image: str) -> cri.Image | None:
        """The image of this name, id or digest; None when it is not present."""

    async def list_images(self) -> Sequence[cri.Image]:
        """All images."""

    async def remove_image(self, image: str) -> None:
        """Remove all names of an image. Idempotent."""

    async def image_fs_info(self) -> Sequence[cri.FilesystemUsage]:
        """Usage of the filesystems that hold images and writable layers."""
