"""What is mounted into a container: its volumes, /etc/hosts, and the file for its termination message."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.expansion import expand
from kubeling.objects.meta import Object
from runtime.pods.environment import ConfigError
from runtime.pods.work import PodWork
from runtime.volumes.errors import VolumeError

_PROPAGATION = {
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
_HOSTS = "/etc/hosts"
READ_ONLY = frozenset({"configMap", "secret", "downwardAPI", "projected"})
"""Volumes that the node writes, and containers only read."""


def container_mounts(work: PodWork, container: Object, env: Mapping[str, str]) -> list[cri.Mount]:
    """Makes the files and directories that are mounted, where they are the container's own.

    Raises:
        ConfigError: a volume mount cannot be made.
    """
    mounts = [_volume_mount(work, container, mount, env) for mount in container.get("volumeMounts") or []]
    if work.paths.hosts_file.exists() and all(mount.container_path != _HOSTS for mount in mounts):
        mounts.append(cri.Mount(container_path=_HOSTS, host_path=str(work.paths.hosts_file)))
    mounts.append(_termination_mount(work, container))
    return mounts


def _volume_mount(work: PodWork, container: Object, mount: Object, env: Mapping[str, str]) -> cri.Mount:
    path, volume = mount["mountPath"], _volume(work, container, mount)
    try:
        source = _source(work, volume, mount, env)
    except VolumeError as error:
        raise ConfigError(str(error)) from error
    return cri.Mount(
        container_path=path if path.startswith("/") else f"/{path}",
        host_path=str(source),
        readonly=bool(mount.get("readOnly")) or not READ_ONLY.isdisjoint(volume),
        propagation=_PROPAGATION[mount.get("mountPropagation") or "None"],
    )


def _volume(work: PodWork, container: Object, mount: Object) -> Object:
    volume: Object | None = next(
        (each for each in work.spec.get("volumes") or [] if each["name"] == mount["name"]), None
    )
    if volume is None:
        raise ConfigError(
            f'cannot find volume "{mount["name"]}" to mount into container "{container["name"]}"'
        )
    return volume


def _source(work: PodWork, volume: Object, mount: Object, env: Mapping[str, str]) -> Path:
    subpath = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
    if not subpath:
        return work.context.volumes.host_path(work.paths, volume)
    return work.context.volumes.subpath(work.paths, volume, subpath)


def _termination_mount(work: PodWork, container: Object) -> cri.Mount:
    directory = work.paths.container(container["name"])
    directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    file = directory / secrets.token_hex(4)
    file.touch()
    file.chmod(0o666)
    path = container.get("terminationMessagePath") or "/dev/termination-log"
    return cri.Mount(container_path=path, host_path=str(file))
