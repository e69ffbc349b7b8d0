"""What a pod takes on disks: writable layers, logs, volumes, and together. Blocking: call it in a thread."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from runtime.stats.disk import Size, disk_usage, file_system, part_of
from runtime.stats.subject import Place, Subject
from runtime.stats.usage import ContainerUsage, FileSystem, PodUsage, VolumeUsage


@dataclass(frozen=True, slots=True)
class PodDisks:
    """Adds to pods' usage what was found out about disks."""

    root: FileSystem | None
    """The file system of pods' directories and logs."""
    layers: Mapping[str, cri.ContainerStats]
    """By container."""
    layers_root: FileSystem | None
    sizes: Mapping[Path, Size]
    """Of volumes."""
    now: datetime

    def add(self, pod: PodUsage, subject: Subject) -> PodUsage:
        containers = tuple(self._container(each, subject) for each in pod.containers)
        volumes = tuple(filter(None, map(self._volume, subject.volumes)))
        return replace(
            pod,
            containers=containers,
            volumes=volumes,
            ephemeral_storage=self._together(containers, volumes, subject),
        )

    def _container(self, container: ContainerUsage, subject: Subject) -> ContainerUsage:
        logs = part_of(self.root, disk_usage(subject.logs / container.name), self.now)
        return replace(container, logs=logs, rootfs=self._layer(container.id))

    def _layer(self, container_id: str) -> FileSystem | None:
        stats = self.layers.get(container_id)
        if stats is None or not stats.HasField("writable_layer"):
            return None
        layer = stats.writable_layer
        return part_of(self.layers_root, Size(layer.used_bytes.value, layer.inodes_used.value), self.now)

    def _volume(self, place: Place) -> VolumeUsage | None:
        size, whole = self.sizes.get(place.path), file_system(place.path, self.now)
        if whole is None or (place.measured and size is None):
            return None
        usage = whole if size is None else part_of(whole, size, self.now)
        return VolumeUsage(place.name, usage, place.claim, place.on_disk)

    def _together(
        self, containers: tuple[ContainerUsage, ...], volumes: tuple[VolumeUsage, ...], subject: Subject
    ) -> FileSystem:
        """Logs of containers that have ended and were not removed count, too."""
        parts = [each.rootfs for each in containers] + [each.usage for each in volumes if each.ephemeral]
        total = disk_usage(subject.logs)
        for each in filter(None, parts):
            total = Size(total.used + (each.used or 0), total.inodes + (each.inodes_used or 0))
        return part_of(self.root, total, self.now)
