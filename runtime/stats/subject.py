"""A pod as what is measured: where its cgroups, logs and volumes are. Made from its worker, reads nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from kubeling.objects.meta import Object
from runtime.pods.cgroups import qos
from runtime.pods.observed import ObservedContainer
from runtime.pods.work import PodWork
from runtime.volumes.errors import VolumeError

_NOT_MEASURED = ("hostPath", "image")
"""Volumes that are not the pod's own."""


@dataclass(frozen=True, slots=True)
class Place:
    """A volume of a pod and where it lies on the node; for a claim the volume that it is bound to."""

    volume: Object
    path: Path

    @property
    def name(self) -> str:
        return str(self.volume["name"])

    @property
    def claim(self) -> str:
        """The name of the claim, "" where it is none."""
        return str((_source(self.volume).get("claimRef") or {}).get("name") or "")

    @property
    def measured(self) -> bool:
        """Whether what lies below it is counted; else its file system as a whole is what it takes."""
        return "persistentVolume" not in self.volume

    @property
    def on_disk(self) -> bool:
        """Whether it takes room on the node's own disk, of which it counts as the pod's ephemeral storage."""
        if "emptyDir" in self.volume:
            return not (self.volume["emptyDir"] or {}).get("medium")
        return "configMap" in self.volume or "downwardAPI" in self.volume


@dataclass(frozen=True, slots=True)
class Subject:
    """`containers` are those that run."""

    pod: Object
    cgroup: str
    started_at: datetime
    sandbox: str
    containers: tuple[ObservedContainer, ...]
    logs: Path
    volumes: tuple[Place, ...]

    def cgroup_of(self, container_id: str) -> str:
        return f"{self.cgroup}/{container_id}"


class Subjects(Protocol):
    def subjects(self) -> Sequence[Subject]:
        """The pods that have a sandbox."""


def subject_of(work: PodWork) -> Subject | None:
    sandbox = work.view.observed.ready_sandbox
    if sandbox is None or not work.pod:
        return None
    return Subject(
        pod=work.pod,
        cgroup=qos.cgroup_parent(work.pod),
        started_at=sandbox.created_at,
        sandbox=sandbox.id,
        containers=tuple(work.view.observed.running()),
        logs=work.paths.logs,
        volumes=tuple(_places(work)),
    )


def _places(work: PodWork) -> Iterable[Place]:
    for volume in work.used_volumes:
        if not _is_measured(volume):
            continue
        try:
            yield Place(volume, work.context.volumes.host_path(work.paths, volume))
        except VolumeError:  # not one that can be set up
            continue


def _is_measured(volume: Object) -> bool:
    source = _source(volume)
    is_device = source.get("volumeMode") == "Block"
    return not is_device and not any(kind in volume or kind in source for kind in _NOT_MEASURED)


def _source(volume: Object) -> Object:
    """The spec of the PersistentVolume, where it is one."""
    return (volume.get("persistentVolume") or {}).get("spec") or {}
