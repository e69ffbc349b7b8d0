"""Where a pod's files lie on the node: its directory, volumes, logs. Only names, no file is touched."""

from dataclasses import dataclass
from pathlib import Path

from runtime.pods.identity import PodIdentity


@dataclass(frozen=True, slots=True)
class PodPaths:
    """The directories of one pod below the node's root directory."""

    root: Path
    pod: PodIdentity

    @property
    def directory(self) -> Path:
        return self.root / "pods" / self.pod.uid

    @property
    def volumes(self) -> Path:
        return self.directory / "volumes"

    @property
    def hosts_file(self) -> Path:
        return self.directory / "etc-hosts"

    @property
    def logs(self) -> Path:
        return self.root / "logs" / f"{self.pod.namespace}_{self.pod.name}_{self.pod.uid}"

    def volume(self, plugin: str, volume_name: str) -> Path:
        """The directory of one volume, `volumes/kubernetes.io~<plugin>/<name>` as the kubelet lays it out."""
        return self.volumes / f"kubernetes.io~{plugin}" / volume_name

    @property
    def volume_devices(self) -> Path:
        return self.directory / "volumeDevices"

    def volume_device(self, plugin: str, volume_name: str) -> Path:
        """The link to a volume that is a block device."""
        return self.volume_devices / f"kubernetes.io~{plugin}" / volume_name

    @property
    def volume_states(self) -> Path:
        return self.directory / "plugins"

    def volume_state(self, plugin: str, volume_name: str) -> Path:
        """Where the node marks how far it has come with a volume."""
        return self.volume_states / f"kubernetes.io~{plugin}" / volume_name

    @property
    def volume_subpaths(self) -> Path:
        return self.directory / "volume-subpaths"

    def volume_subpath(self, volume_name: str, container_name: str, index: int) -> Path:
        """Where the part of a volume is shown that a container's volume mount of that number means."""
        return self.volume_subpaths / volume_name / container_name / str(index)

    @property
    def containers(self) -> Path:
        return self.directory / "containers"

    def container(self, container_name: str) -> Path:
        return self.containers / container_name

    def log(self, container_name: str, attempt: int) -> Path:
        return self.logs / log_path(container_name, attempt)


def log_path(container_name: str, attempt: int) -> str:
    """A container's log file, relative to its pod's log directory."""
    return f"{container_name}/{attempt}.log"
