"""Registration of storage.k8s.io's kinds."""

from server.registry.groups.storage.attachment import Attachments
from server.registry.groups.storage.classes import AttributesClasses, StorageClasses
from server.registry.groups.storage.csi import Capacities, DriverNodes, Drivers
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "storage.k8s.io"


def _cluster_wide(
    kind: str, plural: str, strategy: Strategy, *short_names: str, has_status: bool = False
) -> Kind:
    return Kind(
        _GROUP,
        kind,
        plural,
        strategy,
        namespaced=False,
        short_names=short_names,
        subresources=status(kind) if has_status else {},
    )


KINDS = (
    _cluster_wide("CSIDriver", "csidrivers", Drivers()),
    _cluster_wide("CSINode", "csinodes", DriverNodes(), has_status=True),
    Kind(_GROUP, "CSIStorageCapacity", "csistoragecapacities", Capacities()),
    _cluster_wide("StorageClass", "storageclasses", StorageClasses(), "sc"),
    _cluster_wide("VolumeAttachment", "volumeattachments", Attachments(), has_status=True),
    _cluster_wide("VolumeAttributesClass", "volumeattributesclasses", AttributesClasses(), "vac"),
)
