"""What pods mount on virtual nodes: nothing is written, but what is missing holds a pod as elsewhere."""

from collections.abc import Mapping
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.pods.observed import ObservedContainer
from runtime.pods.paths import PodPaths
from runtime.pods.resize.allocation import Allocation
from runtime.pods.work import PodWork
from runtime.volumes.account_tokens import Tokens, token_kinds
from runtime.volumes.errors import Notice
from runtime.volumes.payload import Contents, volume_payload

_CHECKED = ("configMap", "secret", "projected", "downwardAPI")


class VirtualVolumes:
    """Implements `PodVolumes`: works out what the files would be, and forgets it."""

    mounts_images = False

    async def set_up(self, pod: Object, paths: PodPaths, contents: Contents) -> list[Notice]:
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            if any(kind in volume for kind in _CHECKED):
                volume_payload(pod, volume, contents)
        return []

    def host_path(self, paths: PodPaths, volume: Object) -> Path:
        return Path("/")

    async def mount_image(self, paths: PodPaths, volume: Object, image: cri.Image) -> Path | None:
        return None

    async def tear_down(self, paths: PodPaths) -> None:
        return


class VirtualTokens:
    """Implements `PodTokens` without asking for any: there is nobody to use them."""

    async def get(self, pod: Object) -> Tokens:
        return dict.fromkeys(token_kinds(pod), "")

    def renewal(self, pod_uid: str) -> float | None:
        return None

    def due(self, pod_uid: str) -> bool:
        return False

    def forget(self, pod_uid: str) -> None:
        return


class NoFiles:
    """Implements `PodFiles`."""

    def begin(self, paths: PodPaths) -> None:
        return

    def begin_container(self, paths: PodPaths, name: str) -> None:
        return

    def user_namespace(self, work: PodWork, *, allocate: bool = False) -> cri.UserNamespace | None:
        return None

    def keep(self, paths: PodPaths, allocation: Allocation) -> None:
        return

    def kept(self, paths: PodPaths) -> Allocation | None:
        return None

    def write_hosts(self, work: PodWork) -> None:
        return

    def env_value(self, work: PodWork, selector: Object) -> str | None:
        return None

    def mounts(self, work: PodWork, container: Object, env: Mapping[str, str]) -> list[cri.Mount]:
        return []

    def devices(self, work: PodWork, container: Object) -> list[cri.Device]:
        return []

    async def remove_log(self, paths: PodPaths, container: ObservedContainer) -> None:
        return

    async def remove(self, paths: PodPaths) -> None:
        return


async def http_get(action: Object, container: Object, host: str, *, timeout: float) -> str:
    """Hooks by HTTP are answered."""
    return ""
