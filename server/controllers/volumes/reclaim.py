"""What becomes of a volume whose claim is gone: kept, emptied or deleted, by its reclaim policy.

Whoever has made a volume deletes it, too; here only directories under /tmp are, as upstream. Emptying
(Recycle) is done by a pod, for hostPath and NFS.
"""

import asyncio
import re
import shutil
from contextlib import suppress

from kubeling.client import Client, Informer
from kubeling.client.resources import PERSISTENT_VOLUMES, PODS
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object
from server.controllers.owned.pods import phase
from server.controllers.volumes.binding import Binding

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
RECYCLER_NAMESPACE = "default"
RECYCLER_IMAGE = "busybox"
_DELETABLE_PATH = re.compile("^/tmp/.+")
_SCRUB = 'test -e /scrub && find /scrub -mindepth 1 -delete && test -z "$(ls -A /scrub)" || exit 1'


class Reclaim:
    def __init__(self, client: Client, binding: Binding, pods: Informer) -> None:
        self._client = client
        self._binding = binding
        self._pods = pods

    async def reclaim(self, volume: Object) -> None:
        match volume["spec"].get("persistentVolumeReclaimPolicy"):
            case "Delete":
                await self._delete(volume)
            case "Recycle":
                await self._recycle(volume)

    async def _delete(self, volume: Object) -> None:
        provisioner = meta.annotations(volume).get(PROVISIONED_BY, "")
        if (provisioner and not provisioner.startswith("kubernetes.io/")) or meta.is_terminating(volume):
            return  # the provisioner's affair, or done
        path = (volume["spec"].get("hostPath") or {}).get("path")
        why = await self._remove(str(path)) if path else _no_deleter(volume)
        if why:
            await self._binding.fail_volume(volume, "VolumeFailedDelete", why)
            return
        with suppress(NotFound):
            unchanged = {"uid": meta.uid(volume)}
            await self._client.delete(PERSISTENT_VOLUMES, meta.name(volume), preconditions=unchanged)

    async def _remove(self, path: str) -> str:
        """Why the directory could not be removed; "" if it is gone."""
        if not _DELETABLE_PATH.match(path):
            return f'host_path deleter only supports /tmp/.+ but received provided "{path}"'
        try:
            await asyncio.to_thread(shutil.rmtree, path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return str(error)
        return ""

    async def _recycle(self, volume: Object) -> None:
        if not any(source in volume["spec"] for source in ("hostPath", "nfs")):
            why = "No recycler plugin found for the volume!"
            await self._binding.fail_volume(volume, "VolumeFailedRecycle", why)
            return
        pod = self._pods.get(RECYCLER_NAMESPACE, recycler_of(volume))
        if pod is None:
            with suppress(AlreadyExists):
                await self._client.create(PODS, _recycler(volume))
            return
        if phase(pod) not in ("Succeeded", "Failed") or meta.is_terminating(pod):
            return
        with suppress(NotFound):
            await self._client.delete(PODS, meta.name(pod), namespace=RECYCLER_NAMESPACE)
        if phase(pod) == "Succeeded":
            self._binding.recorder.event(volume, "Normal", "VolumeRecycled", "Volume recycled")
            await self._binding.unbind(volume)
        else:
            why = f"Recycle failed: pod {meta.name(pod)} failed"
            await self._binding.fail_volume(volume, "VolumeFailedRecycle", why)


def recycler_of(volume: Object) -> str:
    return f"recycler-for-{meta.name(volume)}"


def recycled_by(pod: Object) -> str | None:
    """The volume that the pod recycles, if it is one of those."""
    own = meta.namespace(pod) == RECYCLER_NAMESPACE and meta.name(pod).startswith("recycler-for-")
    return meta.name(pod).removeprefix("recycler-for-") if own else None


def _no_deleter(volume: Object) -> str:
    return (
        f'error getting deleter volume plugin for volume "{meta.name(volume)}":'
        " no deletable volume plugin matched"
    )


def _recycler(volume: Object) -> Object:
    spec = volume["spec"]
    source = {name: spec[name] for name in ("hostPath", "nfs") if name in spec}
    container = {
        "name": "pv-recycler",
        "image": RECYCLER_IMAGE,
        "command": ["/bin/sh"],
        "args": ["-c", _SCRUB],
        "volumeMounts": [{"name": "vol", "mountPath": "/scrub"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": recycler_of(volume), "namespace": RECYCLER_NAMESPACE},
        "spec": {
            "activeDeadlineSeconds": 60,
            "restartPolicy": "Never",
            "volumes": [{"name": "vol", **source}],
            "containers": [container],
        },
    }
