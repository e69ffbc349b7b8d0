"""What is mounted into a container: its volumes, /etc/hosts, and the file for its termination message."""

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.expansion import expand, missing
from kubeling.objects.meta import Object
from runtime.pods.environment.variables import ConfigError
from runtime.pods.work import PodWork
from runtime.volumes import subpath
from runtime.volumes.errors import VolumeError

logger = logging.getLogger(__name__)

_PROPAGATION = {
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
_HOSTS = "/etc/hosts"
READ_ONLY = frozenset({"configMap", "secret", "downwardAPI", "projected"})
"""Volumes that containers only read, whatever their mounts say.

Those of images are so by the node's own mount, which loses its noexec if the runtime is told so again.
"""


def container_mounts(work: PodWork, container: Object, env: Mapping[str, str]) -> list[cri.Mount]:
    """Makes the files and directories that are mounted, where they are the container's own.

    Raises:
        ConfigError: a volume mount cannot be made.
    """
    given = container.get("volumeMounts") or []
    mounts = [_volume_mount(work, container, mount, env, index=at) for at, mount in enumerate(given)]
    if work.paths.hosts_file.exists() and all(mount.container_path != _HOSTS for mount in mounts):
        mounts.append(cri.Mount(container_path=_HOSTS, host_path=str(work.paths.hosts_file)))
    mounts.append(_termination_mount(work, container))
    return mounts


def _volume_mount(
    work: PodWork, container: Object, mount: Object, env: Mapping[str, str], *, index: int
) -> cri.Mount:
    path, volume = mount["mountPath"], _volume(work, container, mount)
    if "image" in volume and not work.context.volumes.mounts_images:
        return _image_mount(work, mount)
    recursive = _recursive_read_only(mount, supported=_can_recurse(work))
    source = _source(work, container, volume, mount, env, index=index)
    return cri.Mount(
        container_path=path if path.startswith("/") else f"/{path}",
        host_path=str(source),
        readonly="image" not in volume and (bool(mount.get("readOnly")) or _only_read(volume)),
        recursive_read_only=recursive,
        propagation=_PROPAGATION[mount.get("mountPropagation") or "None"],
    )


def _image_mount(work: PodWork, mount: Object) -> cri.Mount:
    """For a runtime that mounts images itself."""
    image = cri.ImageSpec(image=work.volume_images[mount["name"]].id)
    path = mount["mountPath"]
    return cri.Mount(container_path=path, image=image, image_sub_path=mount.get("subPath") or "")


def container_devices(work: PodWork, container: Object) -> list[cri.Device]:
    """The block devices of the container's volumeDevices.

    Raises:
        ConfigError: the pod has no such volume.
    """
    return [_device(work, container, each) for each in container.get("volumeDevices") or []]


def _device(work: PodWork, container: Object, device: Object) -> cri.Device:
    volume = _volume(work, container, device)
    return cri.Device(
        host_path=str(_place(work, volume)),
        container_path=device["devicePath"],
        permissions="r" if volume.get("readOnly") else "mrw",
    )


def _only_read(volume: Object) -> bool:
    return bool(volume.get("readOnly")) or not READ_ONLY.isdisjoint(volume)


def _place(work: PodWork, volume: Object) -> Path:
    try:
        return work.context.volumes.host_path(work.paths, volume)
    except VolumeError as error:
        raise ConfigError(str(error)) from error


def _volume(work: PodWork, container: Object, mount: Object) -> Object:
    volume: Object | None = next((each for each in work.volumes if each["name"] == mount["name"]), None)
    if volume is None:
        raise ConfigError(
            f'cannot find volume "{mount["name"]}" to mount into container "{container["name"]}"'
        )
    return volume


def _can_recurse(work: PodWork) -> bool:
    """Whether the runtime can make a mount read-only with everything that is mounted below it."""
    sandbox = work.view.observed.ready_sandbox
    features = work.context.abilities.runtime().handler(sandbox.handler if sandbox is not None else "")
    return features is not None and features.recursive_read_only


def _recursive_read_only(mount: Object, *, supported: bool) -> bool:
    """Raises: ConfigError."""
    wanted = mount.get("recursiveReadOnly") or "Disabled"
    if wanted == "Disabled":
        return False
    what = (
        f'failed to resolve recursive read-only mode: volume "{mount["name"]}" requested recursive '
        "read-only mode"
    )
    if not mount.get("readOnly"):
        raise ConfigError(f"{what}, but it is not read-only")
    propagation = mount.get("mountPropagation") or "None"
    if propagation != "None":
        raise ConfigError(f'{what}, but it is not compatible with propagation "{propagation}"')
    if wanted == "Enabled" and not supported:
        raise ConfigError(f"{what}, but it is not supported by the runtime")
    return supported


def _source(
    work: PodWork, container: Object, volume: Object, mount: Object, env: Mapping[str, str], *, index: int
) -> Path:
    place, inner = _place(work, volume), _subpath(mount, env)
    if not inner:
        return place
    target = work.paths.volume_subpath(mount["name"], container["name"], index)
    _make_subpath(place, inner, container, mount)
    try:
        subpath.prepare(place, inner, target)
    except OSError as error:
        logger.warning("pod %s: subPath %s of volume %s: %s", work.identity, inner, mount["name"], error)
        raise ConfigError(_failed("prepare subPath", container, mount)) from error
    return target


def _make_subpath(place: Path, inner: str, container: Object, mount: Object) -> None:
    """Made by us it has the volume's mode and group; made by the runtime it would have neither."""
    try:
        if subpath.is_missing(place, inner):
            subpath.make_directory(place, inner)
    except OSError as error:
        logger.warning("subPath %s of volume %s cannot be made: %s", inner, mount["name"], error)
        raise ConfigError(_failed("create subPath directory", container, mount)) from error


def _failed(what: str, container: Object, mount: Object) -> str:
    """Without the reason, which would tell the pod's owner about files of the host."""
    return f'failed to {what} for volumeMount "{mount["name"]}" of container "{container["name"]}"'


def _subpath(mount: Object, env: Mapping[str, str]) -> str:
    """Raises: ConfigError."""
    inner = mount.get("subPath") or ""
    if mount.get("subPathExpr"):
        unknown = missing(mount["subPathExpr"], env)
        if unknown:
            raise ConfigError(f"missing value for {', '.join(unknown)}")
        inner = expand(mount["subPathExpr"], env)
    if inner.startswith("/"):
        raise ConfigError(f"error SubPath `{inner}` must not be an absolute path")
    if ".." in PurePosixPath(inner).parts:
        raise ConfigError(f"unable to provision SubPath `{inner}`: must not contain '..'")
    return inner


def _termination_mount(work: PodWork, container: Object) -> cri.Mount:
    directory = work.paths.container(container["name"])
    directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    file = directory / secrets.token_hex(4)
    file.touch()
    file.chmod(0o666)
    path = container.get("terminationMessagePath") or "/dev/termination-log"
    return cri.Mount(container_path=path, host_path=str(file))
