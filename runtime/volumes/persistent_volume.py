"""The PersistentVolumes that the node can mount: hostPath and local."""

from pathlib import Path

from kubeling.objects import meta
from kubeling.objects.meta import Object
from runtime.pods.paths import PodPaths
from runtime.volumes import host_path, local_volume
from runtime.volumes.claims import volume_mode
from runtime.volumes.errors import ClaimsNotReady, DeviceError, Notice
from runtime.volumes.sole_use import claim_alone

_DETAILS = frozenset(
    {
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)
"""What a PersistentVolume's spec says beside its source."""


def path(paths: PodPaths, volume: Object) -> Path:
    """Where containers find it on the node: a directory, or the link to a block device.

    Raises:
        VolumeError: it is of another kind.
    """
    found = volume["persistentVolume"]
    if "hostPath" in found["spec"]:
        return Path(found["spec"]["hostPath"]["path"])
    if "local" not in found["spec"]:
        raise ClaimsNotReady(volume["name"], unknown_kind(meta.name(found), _kind(found)))
    place = paths.volume_device if volume_mode(found) == "Block" else paths.volume
    return place(local_volume.PLUGIN, meta.name(found))


def set_up(paths: PodPaths, pod: Object, volume: Object) -> list[Notice]:
    """Raises: VolumeError, OSError."""
    found = volume["persistentVolume"]
    place, block = path(paths, volume), volume_mode(found) == "Block"
    claim_alone(paths, found)
    if "hostPath" in found["spec"]:
        if block:
            name = meta.name(found)
            raise DeviceError(
                f'MapVolume.SetUpDevice failed for volume "{name}" : hostPath is no block device'
            )
        host_path.prepare({"name": meta.name(found), "hostPath": found["spec"]["hostPath"]})
    elif block:
        local_volume.set_up_device(place, volume)
    else:
        return local_volume.set_up(place, paths.root, pod, volume)
    return []


def release(paths: PodPaths) -> None:
    """Nothing is mounted in the pod's directory any more. Raises OSError when a device is busy."""
    directory = paths.volume(local_volume.PLUGIN, "any").parent
    if directory.is_dir():
        local_volume.release(paths.root, list(directory.iterdir()))


def unknown_kind(name: str, kind: str) -> str:
    """As the kubelet says it of a kind that it has no plug-in for."""
    why = f"no volume plugin matched: this node does not mount volumes of kind {kind}"
    return f'failed to get Plugin from volumeSpec for volume "{name}" err={why}'


def _kind(found: Object) -> str:
    return next((each for each in found["spec"] if each not in _DETAILS), "unknown")
