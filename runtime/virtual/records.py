"""What a virtual runtime keeps of sandboxes and containers, and how CRI says it."""

import asyncio
from dataclasses import dataclass, field

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, parse_timestamp
from runtime.pods import identity
from runtime.virtual.commands import Run


@dataclass(slots=True)
class Sandbox:
    """`created_at` is in nanoseconds since the epoch; `ip` is "" on the host's network."""

    id: str
    pod_uid: str
    attempt: int
    created_at: int
    ip: str = ""
    ready: bool = True

    def status(self) -> cri.PodSandboxStatus:
        return cri.PodSandboxStatus(
            id=self.id,
            metadata=cri.PodSandboxMetadata(uid=self.pod_uid, attempt=self.attempt),
            state=self.state,
            created_at=self.created_at,
            network=cri.PodSandboxNetworkStatus(ip=self.ip),
            linux=cri.LinuxPodSandboxStatus(
                namespaces=cri.Namespace(
                    options=cri.NamespaceOption(network=cri.POD if self.ip else cri.NODE)
                )
            ),
        )

    def listed(self) -> cri.PodSandbox:
        return cri.PodSandbox(
            id=self.id, state=self.state, created_at=self.created_at, labels={identity.POD_UID: self.pod_uid}
        )

    @property
    def state(self) -> "cri.PodSandboxState.ValueType":
        return cri.SANDBOX_READY if self.ready else cri.SANDBOX_NOTREADY


@dataclass(slots=True)
class Container:
    """Times are in nanoseconds since the epoch, 0 for those that have not come."""

    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    image: str
    hash: str
    policy: str
    """The terminationMessagePolicy."""
    created_at: int
    run: Run = field(default_factory=Run)
    """What its command would do."""
    state: "cri.ContainerState.ValueType" = cri.CONTAINER_CREATED
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    ended: asyncio.Event | None = None
    """Set at its end, for those who wait for it."""

    @property
    def running(self) -> bool:
        return self.state == cri.CONTAINER_RUNNING

    def status(self) -> cri.ContainerStatus:
        return cri.ContainerStatus(
            id=self.id,
            metadata=cri.ContainerMetadata(name=self.name, attempt=self.attempt),
            state=self.state,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            exit_code=self.exit_code,
            image=cri.ImageSpec(image=self.image),
            image_ref=image_id(self.image),
            reason=self.reason,
            message=self.message,
            labels=self._labels(),
            annotations={identity.HASH: self.hash, identity.TERMINATION_MESSAGE_POLICY: self.policy},
        )

    def listed(self) -> cri.Container:
        return cri.Container(
            id=self.id,
            pod_sandbox_id=self.sandbox_id,
            metadata=cri.ContainerMetadata(name=self.name, attempt=self.attempt),
            state=self.state,
            created_at=self.created_at,
            labels=self._labels(),
        )

    def _labels(self) -> dict[str, str]:
        return {identity.POD_UID: self.pod_uid, identity.CONTAINER_NAME: self.name}


def image_id(image: str) -> str:
    return f"virtual.kubeling.dev/{image}"


def of_status(status: Object, spec: Object, *, pod_uid: str, sandbox_id: str, policy: str) -> list[Container]:
    """The containers that a container's status in the API speaks of: the one before, and the latest."""
    found = []
    waits = "waiting" in (status.get("state") or {})  # then the last one that ran is the latest
    for state, attempt in (("lastState", 0 if waits else -1), ("state", 0)):
        told: Object = status.get(state) or {}
        running, ended = told.get("running"), told.get("terminated")
        container_id = (ended or {}).get("containerID") or (status.get("containerID") if running else "")
        if not container_id:
            continue
        said: Object = ended or running or {}
        container = Container(
            id=str(container_id).rpartition("://")[2],
            sandbox_id=sandbox_id,
            pod_uid=pod_uid,
            name=spec["name"],
            attempt=max(int(status.get("restartCount") or 0) + attempt, 0),
            image=spec.get("image", ""),
            hash=identity.container_hash(spec),
            policy=policy,
            created_at=_nanoseconds(said.get("startedAt")),
            state=cri.CONTAINER_RUNNING if running else cri.CONTAINER_EXITED,
            started_at=_nanoseconds(said.get("startedAt")),
            finished_at=_nanoseconds(said.get("finishedAt")),
            exit_code=int(said.get("exitCode") or 0),
            reason=said.get("reason") or "",
            message=said.get("message") or "",
        )
        found.append(container)
    return found


def _nanoseconds(text: str | None) -> int:
    return int(parse_timestamp(text).timestamp() * 1e9) if text else 0
