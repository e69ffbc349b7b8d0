"""A pod's directories, logs and mounts on a node that runs containers: implements `PodFiles`."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.pods.cleanup import remove_directories
from runtime.pods.containers import user_namespaces
from runtime.pods.containers.mounts import container_devices, container_mounts
from runtime.pods.containers.subordinate_ids import NoSubordinateIds, ids_for_pods
from runtime.pods.containers.user_namespaces import NoUserNamespace
from runtime.pods.environment.env_file import EnvFileError, value_in
from runtime.pods.environment.variables import ConfigError
from runtime.pods.observed import ObservedContainer
from runtime.pods.paths import PodPaths
from runtime.pods.resize import allocation as allocations
from runtime.pods.resize.allocation import Allocation
from runtime.pods.sandbox.hosts import hosts_file
from runtime.pods.work import PodWork
from runtime.volumes.confined import read_file

logger = logging.getLogger(__name__)

LONGEST_ENV_FILE = 1 << 20
"""Bytes of a file of variables that are read."""
_NODE_HOSTS = Path("/etc/hosts")


class NodeFiles:
    def begin(self, paths: PodPaths) -> None:
        for directory in (paths.directory, paths.volumes, paths.containers):
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        paths.logs.mkdir(parents=True, exist_ok=True)

    def begin_container(self, paths: PodPaths, name: str) -> None:
        (paths.logs / name).mkdir(parents=True, exist_ok=True)

    def user_namespace(self, work: PodWork, *, allocate: bool = False) -> cri.UserNamespace | None:
        if not user_namespaces.wanted(work.pod):
            return None
        if not allocate:
            return user_namespaces.recorded(work.paths)
        length = int(work.context.kubelet.user_namespaces.get("idsPerPod") or user_namespaces.IDS_PER_POD)
        try:
            return user_namespaces.allocate(work.paths, ids_for_pods(length), length=length)
        except NoSubordinateIds as error:
            raise NoUserNamespace(str(error)) from error

    def keep(self, paths: PodPaths, allocation: Allocation) -> None:
        allocations.save(paths.directory, allocation)

    def kept(self, paths: PodPaths) -> Allocation | None:
        return allocations.load(paths.directory)

    def write_hosts(self, work: PodWork) -> None:
        """In place, when it is not as it is to be: it is mounted into the containers, which may change it."""
        sandbox = work.view.observed.ready_sandbox
        if sandbox is None:
            return
        domain, file = work.context.kubelet.cluster_domain, work.paths.hosts_file
        text = hosts_file(work.pod, sandbox.ips, node_hosts=_node_hosts(work.pod), cluster_domain=domain)
        if not _holds(file, text.encode()):
            file.write_text(text)
            file.chmod(0o644)

    def env_value(self, work: PodWork, selector: Object) -> str | None:
        name, key = selector.get("volumeName", ""), selector.get("key", "")
        volume = next((each for each in work.spec.get("volumes") or [] if each["name"] == name), None)
        if volume is None:
            raise ConfigError(f'cannot find the volume "{name}" referenced by FileKeyRef')
        place = work.context.volumes.host_path(work.paths, volume)
        value = _value_in_file(place, selector.get("path", ""), key)
        if value or selector.get("optional"):
            return value or None
        file = place / selector.get("path", "")
        raise ConfigError(f'environment variable key "{key}" not found in file "{file}"')

    def mounts(self, work: PodWork, container: Object, env: Mapping[str, str]) -> list[cri.Mount]:
        return container_mounts(work, container, env)

    def devices(self, work: PodWork, container: Object) -> list[cri.Device]:
        return container_devices(work, container)

    async def remove_log(self, paths: PodPaths, container: ObservedContainer) -> None:
        await asyncio.to_thread(_remove_log, paths, container)

    async def remove(self, paths: PodPaths) -> None:
        await asyncio.to_thread(remove_directories, paths)


def _holds(file: Path, content: bytes) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(content) + 1) == content
    except FileNotFoundError:
        return False


def _node_hosts(pod: Object) -> str:
    if not (pod.get("spec") or {}).get("hostNetwork"):
        return ""
    try:
        return _NODE_HOSTS.read_text(errors="replace")
    except OSError:
        return ""


def _value_in_file(directory: Path, path: str, key: str) -> str:
    """Raises: ConfigError."""
    try:
        text = read_file(directory, path, most=LONGEST_ENV_FILE).decode(errors="surrogateescape")
        return value_in(text, key)
    except (OSError, EnvFileError) as error:
        logger.warning("%s of %s cannot be read for its variables: %s", path, directory, error)
        raise ConfigError("couldn't parse env file") from error


def _remove_log(paths: PodPaths, container: ObservedContainer) -> None:
    log = paths.log(container.name, container.restart_count)
    for file in log.parent.glob(f"{log.name}*"):
        file.unlink(missing_ok=True)
    if container.termination_path.startswith(str(paths.directory)):
        Path(container.termination_path).unlink(missing_ok=True)
