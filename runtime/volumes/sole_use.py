"""ReadWriteOncePod: a volume that only one pod of the node may have at a time.

Which pod has it is told by a mark in the pod's directory, which goes when its volumes are taken down.
"""

import threading

from kubeling.objects import meta
from kubeling.objects.meta import Object
from runtime.pods.paths import PodPaths
from runtime.volumes.errors import VolumeError

MODE = "ReadWriteOncePod"
_PLUGIN = "sole-use"
_IN_USE = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
_looking = threading.Lock()


def claim_alone(paths: PodPaths, found: Object) -> None:
    """Give a PersistentVolume to the pod, if its access mode lets no other have it meanwhile.

    Raises:
        VolumeError: another pod has it.
    """
    if MODE not in (found["spec"].get("accessModes") or []):
        return
    name = meta.name(found)
    mark = paths.volume_state(_PLUGIN, name)
    with _looking:
        holders = (paths.root / "pods").glob(f"*/{mark.relative_to(paths.directory)}")
        if any(each != mark for each in holders):
            raise VolumeError.set_up(name, _IN_USE)
        mark.mkdir(parents=True, exist_ok=True)
