"""Errors of volumes.

VolumeError           a volume cannot be set up or mounted; str() is the text of the event
├── ClaimsNotReady    a claim cannot be used yet
└── DeviceError       a volume cannot be a block device
VolumeBusy            a volume cannot be taken down yet
"""

from typing import NamedTuple

from runtime.errors import NodeError


class Notice(NamedTuple):
    """What the pod's owner is to be told of by an event, though the volume is mounted."""

    reason: str
    message: str


class VolumeError(Exception):
    """Says why, the way the kubelet says it."""

    reason = "FailedMount"

    @classmethod
    def set_up(cls, volume_name: str, why: object) -> "VolumeError":
        return cls(f'MountVolume.SetUp failed for volume "{volume_name}" : {why}')


class ClaimsNotReady(VolumeError):
    """A claim is not bound, or not there, or cannot be used by the pod: it is to be looked at again soon."""

    def __init__(self, volume_name: str, why: object) -> None:
        names = f"unmounted volumes=[{volume_name}], unattached volumes=[]"
        failed = f"failed to process volumes=[{volume_name}]"
        super().__init__(f"Unable to attach or mount volumes: {names}, {failed}: {why}")


class DeviceError(VolumeError):
    """A volume cannot be handed to containers as a block device."""

    reason = "FailedMapVolume"


class VolumeBusy(NodeError):
    """Something of the pod is still mounted or cannot be removed: it is to be tried again."""
