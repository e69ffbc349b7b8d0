"""What all pod workers of a node share: the runtime, the API, time, and facts about the node.

What touches the machine stands behind protocols, so that a node without containers can do without it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cri_api.v1 import api_pb2 as cri

from kubeling.client.alarms import Alarms
from kubeling.client.protocol import Client, Informer
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.container_runtime import ContainerRuntime
from runtime.images.pull import PullRequest
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.abilities import Abilities
from runtime.pods.admission.admitted import Admitted
from runtime.pods.admission.host_ports import HostPorts
from runtime.pods.backoff import Backoff
from runtime.pods.cgroups.pod_cgroups import NoCgroups
from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.cgroups.tree import Limits
from runtime.pods.containers.security import SecurityDefaults
from runtime.pods.environment.downward import PodFacts
from runtime.pods.environment.services import service_environment
from runtime.pods.http_get import http_get
from runtime.pods.identity import is_static
from runtime.pods.paths import PodPaths
from runtime.pods.references import Reference
from runtime.pods.resize.allocation import Allocation
from runtime.pods.sandbox.dns import ClusterDns, ResolvConf
from runtime.pods.tally import Tally
from runtime.volumes.account_tokens import Tokens
from runtime.volumes.claims import PodClaims
from runtime.volumes.errors import Notice
from runtime.volumes.payload import Contents
from runtime.volumes.pod_certificates import PodCertificates

if TYPE_CHECKING:
    from runtime.pods.observed import ObservedContainer
    from runtime.pods.work import PodWork

SANDBOX_STARTS = 8
"""Sandboxes that are started at the same time; more only make each other slower."""


class Recorder(Protocol):
    def event(
        self,
        obj: Mapping[str, Any],
        kind: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        action: str = "",
        annotations: Mapping[str, str] = ...,
    ) -> None:
        """Record that something happened to `obj`, in the background; never fails."""


class Puller(Protocol):
    async def ensure(self, request: PullRequest) -> cri.Image:
        """The image, pulled if need be. Raises ImageUnavailable."""

    def forget(self, key: str) -> None:
        """Drop what is remembered about a pod."""


class PodSources(Protocol):
    """The ConfigMaps and Secrets that pods refer to."""

    def hold(self, pod_uid: str, references: Iterable[Reference]) -> None:
        """Follow these for the pod."""

    def release(self, pod_uid: str) -> None:
        """The pod needs none of its objects any more."""

    async def get(self, references: Iterable[Reference]) -> dict[Reference, Object]:
        """Those of the held objects that exist; waits until the API has said so about each."""

    async def stop(self) -> None: ...


class PodVolumes(Protocol):
    @property
    def mounts_images(self) -> bool:
        """Whether `mount_image` does so, or the runtime is to be told of the image."""

    async def set_up(self, pod: Object, paths: PodPaths, contents: Contents) -> list[Notice]:
        """All of the pod's volumes; again to bring them up to date. Raises VolumeError."""

    def host_path(self, paths: PodPaths, volume: Object) -> Path:
        """Where the volume, one of `PodWork.volumes`, lies on the node. Raises VolumeError."""

    async def mount_image(self, paths: PodPaths, volume: Object, image: cri.Image) -> Path | None:
        """Show the image's files where the volume lies; None where the runtime does that itself.

        Raises RuntimeServiceError.
        """

    async def tear_down(self, paths: PodPaths) -> None:
        """Take all of the pod's volumes down. Raises VolumeBusy, which is to be tried again."""


class PodTokens(Protocol):
    """The pods' service account tokens."""

    async def get(self, pod: Object) -> Tokens:
        """Raises TokenUnavailable."""

    def renewal(self, pod_uid: str) -> float | None: ...

    def due(self, pod_uid: str) -> bool: ...

    def forget(self, pod_uid: str) -> None: ...


class PodFiles(Protocol):
    """What a pod has on the node beside its containers: directories, logs."""

    def begin(self, paths: PodPaths) -> None:
        """Make the pod's directories."""

    def begin_container(self, paths: PodPaths, name: str) -> None:
        """Make what a container's log needs."""

    def user_namespace(self, work: "PodWork", *, allocate: bool = False) -> cri.UserNamespace | None:
        """The pod's own, None where it has none; with `allocate` it gets one. Raises NoUserNamespace."""

    def keep(self, paths: PodPaths, allocation: Allocation) -> None:
        """Keep what the pod was given, over restarts of the agent."""

    def kept(self, paths: PodPaths) -> Allocation | None: ...

    def write_hosts(self, work: "PodWork") -> None:
        """Write the /etc/hosts of the pod's containers, as it is to be now."""

    def env_value(self, work: "PodWork", selector: Object) -> str | None:
        """The value of a `fileKeyRef`; None where the variable is not to be set. Raises ConfigError."""

    def mounts(self, work: "PodWork", container: Object, env: Mapping[str, str]) -> list[cri.Mount]:
        """What is mounted into a container. Raises ConfigError."""

    def devices(self, work: "PodWork", container: Object) -> list[cri.Device]:
        """The block devices that a container gets. Raises ConfigError."""

    async def remove_log(self, paths: PodPaths, container: "ObservedContainer") -> None: ...

    async def remove(self, paths: PodPaths) -> None:
        """Remove the pod's directories."""


class PodCgroups(Protocol):
    """The pods' cgroups, in which those of their containers are. All raise CgroupError."""

    async def make(self, pod: Object) -> None:
        """Make the pod's group, with its limits."""

    async def limits(self, pod: Object) -> Limits:
        """What the group is limited to now."""

    async def limit(self, pod: Object, limits: Limits) -> None:
        """Change some of its limits."""

    def memory_usage(self, pod: Object, container_id: str = "") -> int | None:
        """Bytes that the pod, or one of its containers, has in use; None where that cannot be told."""

    async def free(self, pod_uid: str) -> None:
        """The pod's processes have ended: remove its group."""


class NodeView(Protocol):
    """The Node, as far as its pods' admission depends on it."""

    @property
    def node(self) -> Object:
        """As the API last showed it, with what it has to give."""

    @property
    def enforced(self) -> Mapping[str, str]:
        """What all pods together may use at most."""

    async def read(self) -> None:
        """Ask the API for it now. Where it does not answer, what is known stays."""


class Probes(Protocol):
    def sync(self) -> None:
        """Probe what runs now, and put the results into the pod's work."""

    async def stop(self) -> None: ...


def _on_disk() -> PodFiles:
    from runtime.pods.node_files import NodeFiles

    return NodeFiles()


def _probing(work: "PodWork") -> Probes:
    from runtime.pods.probes.probing import Probing

    return Probing(work)


@dataclass(slots=True)
class NodeContext:
    runtime: ContainerRuntime
    client: Client
    clock: Clock
    recorder: Recorder
    puller: Puller
    sources: PodSources
    services: Informer
    volumes: PodVolumes
    tokens: PodTokens
    alarms: Alarms[tuple[str, str]]
    """Keys are (pod uid, what for); ringing wakes the pod's worker."""
    root: Path
    node_name: str
    host_ips: tuple[str, ...]
    rules: ResourceRules
    allocatable: Mapping[str, str] = field(default_factory=dict)
    resolv_conf: Callable[[], ResolvConf] = ResolvConf
    crashes: Backoff = field(default_factory=Backoff)
    host_ports: HostPorts = field(default_factory=HostPorts)
    admitted: Admitted = field(default_factory=Admitted)
    node: NodeView | None = None
    """None for a node that takes all that it gets."""
    sandbox_starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SANDBOX_STARTS))
    claims: PodClaims | None = None
    """None where nothing is mounted, so that it does not matter what claims are bound to."""
    certificates: PodCertificates | None = None
    """None where nobody uses any."""
    files: PodFiles = field(default_factory=_on_disk)
    cgroups: PodCgroups = field(default_factory=NoCgroups)
    probing: Callable[["PodWork"], Probes] = _probing
    http_get: Callable[..., Awaitable[object]] = http_get
    """For hooks; as `runtime.pods.http_get`."""
    shutting_down: Callable[[], bool] = bool
    """Whether the node is on its way down, and takes no more pods."""
    pressures: Callable[[], frozenset[str]] = frozenset
    """The conditions of pressure that the node is under."""
    kubelet: KubeletConfiguration = field(default_factory=KubeletConfiguration)
    abilities: Abilities = field(default_factory=Abilities)
    tally: Tally = field(default_factory=Tally)
    instant: bool = False
    """Whether steps take no time, so that no status is worth reporting in the middle of one."""

    @property
    def cluster_dns(self) -> ClusterDns:
        return ClusterDns(self.kubelet.cluster_dns, self.kubelet.cluster_domain)

    @property
    def security(self) -> SecurityDefaults:
        return SecurityDefaults(self.root / "seccomp", self.kubelet.seccomp_default, self.abilities.throttles)

    def renewal(self, pod_uid: str) -> float | None:
        """Seconds until a token or certificate of the pod is to be renewed; None without any."""
        waits = [each.renewal(pod_uid) for each in (self.tokens, self.certificates) if each is not None]
        return min((each for each in waits if each is not None), default=None)

    def is_due(self, pod_uid: str) -> bool:
        """Whether one is to be renewed now."""
        certificates = self.certificates
        return self.tokens.due(pod_uid) or (certificates is not None and certificates.due(pod_uid))

    def facts(self, pod_ips: tuple[str, ...] = ()) -> PodFacts:
        return PodFacts(self.node_name, pod_ips, self.host_ips, self.allocatable)

    async def service_variables(self, pod: Object) -> dict[str, str]:
        """The services' environment; waits until the services are known."""
        if not (is_static(pod) and not self.services.synced):  # a static pod may be what serves the API
            await self.services.wait_synced()
        return service_environment(self.services.list(), pod)
