"""The kinds of storage.k8s.io."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "storage.k8s.io"

KINDS = (
    Kind(_GROUP, "CSIDriver", "csidrivers", Generational(), namespaced=False),
    Kind(_GROUP, "CSINode", "csinodes", Strategy(), namespaced=False, subresources=status("CSINode")),
    Kind(_GROUP, "CSIStorageCapacity", "csistoragecapacities", Strategy()),
    Kind(_GROUP, "StorageClass", "storageclasses", Strategy(), namespaced=False, short_names=("sc",)),
    Kind(
        _GROUP,
        "VolumeAttachment",
        "volumeattachments",
        Strategy(),
        namespaced=False,
        subresources=status("VolumeAttachment"),
    ),
    Kind(
        _GROUP,
        "VolumeAttributesClass",
        "volumeattributesclasses",
        Strategy(),
        namespaced=False,
        short_names=("vac",),
    ),
)
