"""The kinds of resource.k8s.io (dynamic resource allocation)."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "resource.k8s.io"


class ResourceSlices(Generational):
    selectable = ("spec.nodeName", "spec.driver")


KINDS = (
    Kind(_GROUP, "DeviceClass", "deviceclasses", Generational(), namespaced=False),
    Kind(
        _GROUP,
        "DeviceTaintRule",
        "devicetaintrules",
        Generational(),
        namespaced=False,
        subresources=status("DeviceTaintRule"),
    ),
    Kind(_GROUP, "ResourceClaim", "resourceclaims", Strategy(), subresources=status("ResourceClaim")),
    Kind(_GROUP, "ResourceClaimTemplate", "resourceclaimtemplates", Strategy()),
    Kind(_GROUP, "ResourceSlice", "resourceslices", ResourceSlices(), namespaced=False),
)
