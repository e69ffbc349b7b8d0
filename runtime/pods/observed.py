"""What the runtime reports about one pod: its sandboxes and containers, newest first.

Made from CRI's messages, without any memory of its own: the same after a restart of the agent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from cri_api.v1 import api_pb2 as cri

from runtime.pods import identity
from runtime.pods.containers import stop_signal


class State(Enum):
    """A container's state as CRI knows it."""

    CREATED = cri.CONTAINER_CREATED
    RUNNING = cri.CONTAINER_RUNNING
    EXITED = cri.CONTAINER_EXITED
    UNKNOWN = cri.CONTAINER_UNKNOWN


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container, dead or alive. Times are None while they have not come."""

    id: str
    sandbox_id: str
    name: str
    state: State
    restart_count: int
    hash: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_id: str = ""
    log_path: str = ""
    termination_path: str = ""
    """The host's path of the termination message, "" when there is none."""
    recursive_mounts: frozenset[str] = frozenset()
    """Where, in the container, mounts are read-only with everything that is mounted below them."""
    termination_fallback: bool = False
    """Whether the log's end serves as message when the file is empty and the container failed."""
    stop_signal: str = ""
    """What the runtime says that it stops it with, where it says so."""
    resources: cri.LinuxContainerResources | None = field(default=None, compare=False)
    user: dict[str, Any] | None = None
    """The first process's ids, as the API names them; newer runtimes tell them."""

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING

    @property
    def exited(self) -> bool:
        return self.state in (State.EXITED, State.UNKNOWN)

    @property
    def succeeded(self) -> bool:
        return self.state is State.EXITED and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class ObservedSandbox:
    """One sandbox. `ips` is empty for the host's network."""

    id: str
    ready: bool
    attempt: int
    created_at: datetime
    ips: tuple[str, ...] = ()
    on_host: bool = False
    handler: str = ""
    """Which of the runtime's handlers runs it."""


@dataclass(slots=True)
class ObservedPod:
    """Everything in the runtime that bears the pod's uid."""

    sandboxes: dict[str, ObservedSandbox] = field(default_factory=dict)
    containers: dict[str, ObservedContainer] = field(default_factory=dict)

    @property
    def sandbox(self) -> ObservedSandbox | None:
        """The newest sandbox, ready or not."""
        return max(self.sandboxes.values(), key=lambda each: (each.attempt, each.created_at), default=None)

    @property
    def ready_sandbox(self) -> ObservedSandbox | None:
        newest = self.sandbox
        return newest if newest is not None and newest.ready else None

    def history(self, name: str) -> list[ObservedContainer]:
        """The containers of that name, the newest first."""
        named = [each for each in self.containers.values() if each.name == name]
        return sorted(named, key=lambda each: (each.restart_count, each.created_at), reverse=True)

    def latest(self, name: str) -> ObservedContainer | None:
        return next(iter(self.history(name)), None)

    def current(self, name: str) -> ObservedContainer | None:
        """The latest container of that name, if it was made in the newest sandbox."""
        latest, sandbox = self.latest(name), self.sandbox
        if latest is None or sandbox is None or latest.sandbox_id != sandbox.id:
            return None
        return latest

    def previous(self, name: str) -> ObservedContainer | None:
        """The container of that name before the latest."""
        return next(iter(self.history(name)[1:]), None)

    def running(self) -> Iterator[ObservedContainer]:
        return (each for each in self.containers.values() if each.running)


def container(status: cri.ContainerStatus, sandbox_id: str) -> ObservedContainer:
    """The container from its full CRI status, which does not say which sandbox it is in."""
    notes = status.annotations
    path = notes.get(identity.TERMINATION_MESSAGE_PATH, "")
    policy = notes.get(identity.TERMINATION_MESSAGE_POLICY, "")
    return ObservedContainer(
        id=status.id,
        sandbox_id=sandbox_id,
        name=status.labels.get(identity.CONTAINER_NAME, status.metadata.name),
        state=State(status.state),
        restart_count=int(notes.get(identity.RESTART_COUNT) or status.metadata.attempt),
        hash=notes.get(identity.HASH, ""),
        created_at=_moment(status.created_at) or datetime.fromtimestamp(0, UTC),
        started_at=_moment(status.started_at),
        finished_at=_moment(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        image=status.image.image,
        image_id=status.image_ref,
        log_path=status.log_path,
        termination_path=_host_path(status.mounts, path),
        recursive_mounts=frozenset(each.container_path for each in status.mounts if each.recursive_read_only),
        termination_fallback=policy == "FallbackToLogsOnError",
        stop_signal=stop_signal.of_number(status.stop_signal),
        resources=status.resources.linux if status.HasField("resources") else None,
        user=_user(status.user),
    )


def sandbox(status: cri.PodSandboxStatus) -> ObservedSandbox:
    """The sandbox from its full CRI status."""
    addresses = [status.network.ip, *(each.ip for each in status.network.additional_ips)]
    return ObservedSandbox(
        id=status.id,
        ready=status.state == cri.SANDBOX_READY,
        attempt=status.metadata.attempt,
        created_at=_moment(status.created_at) or datetime.fromtimestamp(0, UTC),
        ips=tuple(address for address in addresses if address),
        on_host=status.linux.namespaces.options.network == cri.NODE,
        handler=status.runtime_handler,
    )


def _user(user: cri.ContainerUser) -> dict[str, Any] | None:
    if not user.HasField("linux"):
        return None
    linux = user.linux
    return {"uid": linux.uid, "gid": linux.gid, "supplementalGroups": list(linux.supplemental_groups)}


def _moment(nanoseconds: int) -> datetime | None:
    """CRI's zero, and Go's zero time in nanoseconds (negative), mean that the moment has not come."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds > 0 else None


def _host_path(mounts: Sequence[cri.Mount], container_path: str) -> str:
    """Of several mounts at one place the last is seen, which is the node's own."""
    for mount in reversed(mounts):
        if container_path and mount.container_path == container_path:
            return mount.host_path
    return ""
