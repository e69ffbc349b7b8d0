"""What one pod's worker knows: shared by the steps that start, stop and report."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.pods.actions import ProbeResults
from runtime.pods.activities import Activities
from runtime.pods.containers.kinds import containers_of
from runtime.pods.context import NodeContext
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.pods.pod_events import PodEvents
from runtime.pods.resize.allocation import Allocation
from runtime.pods.resize.report import ERROR, IN_PROGRESS, Told
from runtime.pods.restart import restart_sources
from runtime.pods.status.container import Knowledge, Waiting
from runtime.pods.status.pod import Verdict
from runtime.pods.status.writer import StatusWriter
from runtime.pods.used_volumes import used_volumes
from runtime.pods.view import PodView

if TYPE_CHECKING:
    from runtime.pods.containers.stop import Stop

_WITHOUT_IMAGE = frozenset({"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})


@dataclass(slots=True)
class PodWork:
    context: NodeContext
    identity: PodIdentity
    pod: Object
    """As the API last showed it, with the resources that the node gave it; {} for an orphan that the API
    never showed.
    """
    wake: Callable[[], None]
    view: PodView
    activities: Activities
    writer: StatusWriter
    seen_at: float = 0.0
    """Since when (monotonic) the agent has known of the pod."""
    desired: Object = field(default_factory=dict)
    """As the API last showed it, with the resources that are wanted."""
    allocation: Allocation | None = None
    """What the node has given to the pod, once it has."""
    resize_pending: Told | None = None
    """Why the node has not given the pod what it newly asks for."""
    resized: frozenset[str] = frozenset()
    """The containers that get their new resources by a restart."""
    replaced: frozenset[str] = frozenset()
    """Ids of containers that are killed, or were, to be started anew however they end."""
    resize_error: str = ""
    """Why what the node has given cannot be put in force."""
    gone: bool = False
    """Whether the API has the pod no more."""
    sources_ready: bool = False
    """Whether every object that the volumes need has been seen: only tokens and files are missing then."""
    claimed: dict[str, Object] = field(default_factory=dict)
    """What takes the place of the volumes that are claims, by their names, once it is known."""
    volume_images: dict[str, cri.Image] = field(default_factory=dict)
    """The images of image volumes, by the volumes' names, once they are there."""
    volumes_ready: bool = False
    volume_failures: int = 0
    volumes_stale: bool = False
    """Whether an object that a volume shows has changed since the files were written."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """Why containers could not be started, by name."""
    stops: "dict[str, Stop]" = field(default_factory=dict)
    """The containers that are being stopped, by id."""
    stopping: bool = False
    """Whether the pod comes to its end, so that its containers stop in their order."""
    hooked: frozenset[str] = frozenset()
    """Ids of containers that run, but whose postStart hook has not ended."""
    active_since: float | None = None
    """Since when (monotonic) the pod is active, where it has a deadline."""
    stop_by: float | None = None
    """Until when (monotonic) the whole pod may live, once it is being stopped."""
    slow: bool = False
    """Whether a step that is under way takes its time, so that the status in between is worth a report."""
    settled: bool = False
    """Whether a finished pod's sandbox, volumes and cgroup are cleaned away."""
    finished: bool = False
    """Whether nothing of the pod is left, so that the worker may end."""
    verdict: Verdict | None = None
    admitted: bool = False
    """Whether the node has taken the pod, with all that it asks for."""
    node_read: bool = False
    """Whether the Node was read from the API because its labels did not let the pod in."""
    counted_crashes: dict[str, str] = field(default_factory=dict)
    """The id of the container whose end was counted last in the crash back-off, by name."""
    probes: ProbeResults = field(default_factory=ProbeResults)
    unready: frozenset[str] = frozenset()

    @property
    def paths(self) -> PodPaths:
        return PodPaths(self.context.root, self.identity)

    @property
    def events(self) -> PodEvents:
        return PodEvents(self.context.recorder, self.pod)

    @property
    def spec(self) -> Object:
        return self.pod.get("spec") or {}

    @property
    def volumes(self) -> list[Object]:
        """The pod's volumes; for claims what they are bound to, as `runtime.volumes.claims` says it."""
        return [self.claimed.get(each["name"], each) for each in self.spec.get("volumes") or []]

    @property
    def used_volumes(self) -> list[Object]:
        """Of these the ones that a container has."""
        return used_volumes({"spec": {**self.spec, "volumes": self.volumes}})

    @property
    def waits_for_image(self) -> bool:
        return any(each.reason in _WITHOUT_IMAGE for each in self.waiting.values())

    @property
    def knowledge(self) -> Knowledge:
        under_way = self.allocation.under_way if self.allocation is not None else None
        return Knowledge(
            waiting=self.waiting,
            messages=self.view.messages,
            unready=self.unready,
            not_started=self.probes.not_started,
            hooked=self.hooked,
            volume_images={name: _digest(each) for name, each in self.volume_images.items()},
            in_force=under_way.containers if under_way is not None else {},
            whole=under_way.pod if under_way is not None and not under_way.followed else None,
            resized=self.resized,
            replaced=self.replaced,
            resize=self._resize_told,
        )

    @property
    def _resize_told(self) -> tuple[Told, ...]:
        told = [] if self.resize_pending is None else [self.resize_pending]
        under_way = self.allocation.under_way if self.allocation is not None else None
        if under_way is not None:
            reason = ERROR if self.resize_error else ""
            told.append(Told(IN_PROGRESS, reason, self.resize_error, under_way.generation))
        return tuple(told)

    @property
    def host(self) -> str:
        """The address at which the pod's containers listen."""
        sandbox = self.view.observed.ready_sandbox
        if sandbox is not None and sandbox.ips:
            return sandbox.ips[0]
        return self.context.host_ips[0]

    def restarts_all(self, name: str) -> bool:
        """Whether the container's end asks for a new start of all."""
        latest = self.view.observed.latest(name)
        return latest is not None and latest.id in restart_sources(self.pod, self.view.observed)

    def container(self, name: str) -> Object | None:
        """The container's spec, whichever list it is in."""
        found = (each for each in containers_of(self.pod) if each["name"] == name)
        return next(found, None)


def _digest(image: cri.Image) -> str:
    """As it stands in containers' statuses: with the repository where it came from one."""
    return str(next(iter(image.repo_digests), image.id))
