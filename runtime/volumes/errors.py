"""Errors of volumes.

VolumeError    a volume cannot be set up or mounted; str() is the text of the kubelet's FailedMount event
VolumeBusy     a volume cannot be taken down yet
"""

from runtime.errors import NodeError


class VolumeError(Exception):
    """Says why, the way the kubelet says it."""

    @classmethod
    def set_up(cls, volume_name: str, why: object) -> "VolumeError":
        return cls(f'MountVolume.SetUp failed for volume "{volume_name}" : {why}')


class VolumeBusy(NodeError):
    """Something of the pod is still mounted or cannot be removed: it is to be tried again."""
