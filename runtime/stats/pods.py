"""What pods and their containers use, from their cgroups and network. Blocking: call it in a thread."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from runtime.pods.observed import ObservedContainer
from runtime.stats.cgroup import Cgroups
from runtime.stats.network import network_of
from runtime.stats.node import pressures
from runtime.stats.subject import Subject
from runtime.stats.usage import ContainerUsage, Network, PodUsage

PROC = Path("/proc")


def measure(
    cgroups: Cgroups, subjects: Iterable[Subject], now: datetime, proc: Path = PROC
) -> list[PodUsage]:
    """Without what lies on disks."""
    return [_pod(cgroups, each, now, proc) for each in subjects]


def unmeasured(subject: Subject) -> PodUsage:
    """The pod and its containers, of which nothing has been read yet."""
    containers = tuple(_container(subject, each) for each in subject.containers)
    return PodUsage(subject.pod, subject.started_at, subject.cgroup, containers)


def _pod(cgroups: Cgroups, subject: Subject, now: datetime, proc: Path) -> PodUsage:
    bare = unmeasured(subject)
    return replace(
        bare,
        containers=tuple(_measured(cgroups, each, now) for each in bare.containers),
        cpu=cgroups.cpu(subject.cgroup, now),
        memory=cgroups.memory(subject.cgroup, now),
        pressure=pressures(cgroups, subject.cgroup),
        processes=cgroups.processes(subject.cgroup),
        network=_network(cgroups, subject, now, proc),
    )


def _container(subject: Subject, container: ObservedContainer) -> ContainerUsage:
    return ContainerUsage(
        name=container.name,
        id=container.id,
        started_at=container.started_at or container.created_at,
        image=container.image or container.image_id,
        cgroup=subject.cgroup_of(container.id),
    )


def _measured(cgroups: Cgroups, container: ContainerUsage, now: datetime) -> ContainerUsage:
    path = container.cgroup
    return replace(
        container,
        cpu=cgroups.cpu(path, now),
        memory=cgroups.memory(path, now),
        pressure=pressures(cgroups, path),
    )


def _network(cgroups: Cgroups, subject: Subject, now: datetime, proc: Path) -> Network | None:
    """As the pod's first process sees it, which the sandbox keeps."""
    pids = cgroups.members(subject.cgroup_of(subject.sandbox))
    return network_of(pids[0], now, proc) if pids else None
