"""Errors of volumes.

VolumeError    a volume cannot be set up or mounted; str() is the text of the kubelet's FailedMount event
"""


class VolumeError(Exception):
    """Says why, the way the kubelet says it."""

    @classmethod
    def set_up(cls, volume_name: str, why: object) -> "VolumeError":
        return cls(f'MountVolume.SetUp failed for volume "{volume_name}" : {why}')
