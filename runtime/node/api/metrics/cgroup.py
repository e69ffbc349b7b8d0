"""All that is known of each cgroup of the node, for /metrics/cadvisor.

Blocking, since more is read here than `runtime.stats` measures for everybody: call `measured` in a thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runtime.stats.cgroup import Cgroups
from runtime.stats.node import pressures
from runtime.stats.processes import Processes, processes_of
from runtime.stats.usage import (
    Cpu,
    CpuLimits,
    FileSystem,
    Io,
    Memory,
    Network,
    NodeUsage,
    PodUsage,
    Pressure,
    Throttling,
)

_LEVELS = ("/kubepods", "/kubepods/besteffort", "/kubepods/burstable")


@dataclass(frozen=True, slots=True)
class Labels:
    id: str
    container: str = ""
    image: str = ""
    name: str = ""
    namespace: str = ""
    pod: str = ""

    def values(self) -> list[str]:
        return [self.container, self.id, self.image, self.name, self.namespace, self.pod]


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One cgroup with all that is known of it."""

    labels: Labels
    started_at: datetime
    cpu: Cpu | None
    memory: Memory | None
    processes: Processes
    threads: int | None
    most_threads: int | None
    throttling: Throttling
    limits: CpuLimits
    io: Io
    pressure: dict[str, Pressure] = field(default_factory=dict)
    network: Network | None = None
    disk: FileSystem | None = None


def measured(cgroups: Cgroups, node: NodeUsage, pods: Sequence[PodUsage], now: datetime) -> list[Cgroup]:
    return list(_all(cgroups, node, pods, now))


def _all(cgroups: Cgroups, node: NodeUsage, pods: Sequence[PodUsage], now: datetime) -> Iterator[Cgroup]:
    began = node.started_at
    yield _cgroup(cgroups, Labels("/"), began, now, network=node.network, disk=node.root)
    for level in filter(cgroups.exists, _LEVELS):
        yield _cgroup(cgroups, Labels(level), began, now)
    for pod in pods:
        namespace, name = pod.pod["metadata"]["namespace"], pod.pod["metadata"]["name"]
        labels = Labels(pod.cgroup, namespace=namespace, pod=name)
        yield _cgroup(cgroups, labels, pod.started_at, now, network=pod.network)
        for each in pod.containers:
            labels = Labels(each.cgroup, each.name, each.image, each.id, namespace, name)
            yield _cgroup(cgroups, labels, each.started_at, now, disk=each.rootfs)


def _cgroup(
    cgroups: Cgroups,
    labels: Labels,
    started_at: datetime,
    now: datetime,
    *,
    network: Network | None = None,
    disk: FileSystem | None = None,
) -> Cgroup:
    path = labels.id
    return Cgroup(
        labels=labels,
        started_at=started_at,
        cpu=cgroups.cpu(path, now),
        memory=cgroups.memory(path, now),
        processes=processes_of(cgroups.members(path), opened=bool(labels.name)),
        threads=cgroups.processes(path),
        most_threads=cgroups.most_processes(path),
        throttling=cgroups.throttling(path),
        limits=cgroups.cpu_limits(path),
        io=cgroups.io(path),
        pressure=dict(pressures(cgroups, path)),
        network=network,
        disk=disk,
    )
