"""What is measured, as data. Sizes are bytes, processor time is nanoseconds; None is what nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kubeling.objects.meta import Object


@dataclass(frozen=True, slots=True)
class Cpu:
    """`total` is the processor time since the beginning, `rate` how much of it goes by in a second."""

    time: datetime
    total: int
    rate: int | None = None
    user: int = 0
    system: int = 0


@dataclass(frozen=True, slots=True)
class Throttling:
    """`time` is in nanoseconds."""

    periods: int = 0
    throttled: int = 0
    time: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    time: datetime
    usage: int
    working_set: int
    """The usage without what the kernel would drop first: inactive pages of files."""
    rss: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    limit: int | None = None
    cache: int = 0
    mapped_file: int = 0
    swap: int = 0
    swap_limit: int | None = None
    peak: int = 0
    failures: int = 0
    """How often the limit was hit."""
    oom_kills: int = 0
    reservation: int | None = None
    """What is left to it when memory is short."""

    @property
    def available(self) -> int | None:
        return None if self.limit is None else max(self.limit - self.working_set, 0)


@dataclass(frozen=True, slots=True)
class Io:
    """Per block device (major, minor): bytes and operations, read and written."""

    read_bytes: Mapping[tuple[int, int], int] = field(default_factory=dict)
    written_bytes: Mapping[tuple[int, int], int] = field(default_factory=dict)
    reads: Mapping[tuple[int, int], int] = field(default_factory=dict)
    writes: Mapping[tuple[int, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stall:
    """Pressure stall information of one resource: percentages over 10, 60 and 300 s, and microseconds."""

    avg10: float
    avg60: float
    avg300: float
    total: int


@dataclass(frozen=True, slots=True)
class Pressure:
    some: Stall
    full: Stall


@dataclass(frozen=True, slots=True)
class CpuLimits:
    """`quota` and `period` are microseconds; no quota is no limit."""

    shares: int | None = None
    quota: int | None = None
    period: int | None = None


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system, or what something takes of one: then `used` and `inodes_used` are its own."""

    time: datetime
    capacity: int | None = None
    available: int | None = None
    used: int | None = None
    inodes: int | None = None
    inodes_free: int | None = None
    inodes_used: int | None = None


@dataclass(frozen=True, slots=True)
class Interface:
    name: str
    received_bytes: int
    received_packets: int
    received_errors: int
    received_dropped: int
    sent_bytes: int
    sent_packets: int
    sent_errors: int
    sent_dropped: int


@dataclass(frozen=True, slots=True)
class Network:
    time: datetime
    interfaces: tuple[Interface, ...]

    @property
    def default(self) -> Interface | None:
        """The one that is shown as the pod's or node's own."""
        named = {each.name: each for each in self.interfaces}
        return named.get("eth0") or next(iter(self.interfaces), None)


@dataclass(frozen=True, slots=True)
class VolumeUsage:
    name: str
    usage: FileSystem
    claim: str = ""
    """The name of the PersistentVolumeClaim, in the pod's namespace."""
    ephemeral: bool = False
    """Whether what lies in it counts as the pod's ephemeral storage."""


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    name: str
    id: str
    started_at: datetime
    image: str
    cgroup: str
    cpu: Cpu | None = None
    memory: Memory | None = None
    pressure: Mapping[str, Pressure] = field(default_factory=dict)
    """By resource: cpu, memory, io."""
    rootfs: FileSystem | None = None
    """The writable layer."""
    logs: FileSystem | None = None


@dataclass(frozen=True, slots=True)
class PodUsage:
    pod: Object
    started_at: datetime
    cgroup: str
    containers: tuple[ContainerUsage, ...] = ()
    cpu: Cpu | None = None
    memory: Memory | None = None
    pressure: Mapping[str, Pressure] = field(default_factory=dict)
    processes: int | None = None
    network: Network | None = None
    volumes: tuple[VolumeUsage, ...] = ()
    ephemeral_storage: FileSystem | None = None
    """Writable layers, logs, and the volumes that lie on the node's own disk."""


@dataclass(frozen=True, slots=True)
class PartUsage:
    """A part of the node itself."""

    name: str
    started_at: datetime
    cpu: Cpu | None
    memory: Memory | None


@dataclass(frozen=True, slots=True)
class NodeUsage:
    started_at: datetime
    cpu: Cpu
    memory: Memory
    root: FileSystem
    """The file system with the pods' directories, logs and volumes."""
    images: FileSystem
    """The file system of the images; `used` is what they take."""
    layers: FileSystem
    """The file system of the containers' writable layers; `used` is what they take."""
    processes: int
    most_processes: int
    separate_images: bool = False
    """Whether images and layers lie on another file system than the pods' directories."""
    network: Network | None = None
    pressure: Mapping[str, Pressure] = field(default_factory=dict)
